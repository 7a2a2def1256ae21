package virga.servlet;

import jakarta.servlet.RequestDispatcher;
import java.io.InputStream;
import java.net.URL;
import java.util.Collections;
import java.util.Enumeration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;

/** The app as its servlets see it. */
final class Context extends BareContext {
    private final Container container;
    private final Map<String, String> parameters = new LinkedHashMap<>();
    private String requestEncoding;
    private String responseEncoding;

    Context(Container container) {
        this.container = container;
    }

    Container container() {
        return container;
    }

    @Override
    public String getMimeType(String file) {
        String ending = file.substring(file.lastIndexOf('.') + 1).toLowerCase();
        return switch (ending) {
            case "html", "htm" -> "text/html";
            case "css" -> "text/css";
            case "js", "mjs" -> "text/javascript";
            case "txt" -> "text/plain";
            case "json" -> "application/json";
            case "xml" -> "application/xml";
            case "svg" -> "image/svg+xml";
            case "png" -> "image/png";
            case "jpg", "jpeg" -> "image/jpeg";
            case "gif" -> "image/gif";
            case "ico" -> "image/x-icon";
            case "webp" -> "image/webp";
            case "woff2" -> "font/woff2";
            case "pdf" -> "application/pdf";
            case "wasm" -> "application/wasm";
            default -> null;
        };
    }

    @Override
    public Set<String> getResourcePaths(String path) {
        return container.pages() == null ? null : container.pages().below(path);
    }

    @Override
    public URL getResource(String path) {
        return null;
    }

    @Override
    public InputStream getResourceAsStream(String path) {
        return container.pages() == null ? null : container.pages().open(path);
    }

    @Override
    public RequestDispatcher getRequestDispatcher(String path) {
        return path.startsWith("/") ? container.dispatcher(path) : null;
    }

    @Override
    public void log(String message) {
        System.out.println(message);
    }

    @Override
    public void log(String message, Throwable thrown) {
        System.err.print(message + ": ");
        thrown.printStackTrace();
    }

    void setParameters(Map<String, String> all) {
        parameters.putAll(all);
    }

    @Override
    public String getInitParameter(String name) {
        return parameters.get(name);
    }

    @Override
    public Enumeration<String> getInitParameterNames() {
        return Collections.enumeration(parameters.keySet());
    }

    @Override
    public boolean setInitParameter(String name, String value) {
        return parameters.putIfAbsent(name, value) == null;
    }

    @Override
    public int getSessionTimeout() {
        return container.sessions().minutes();
    }

    @Override
    public void setSessionTimeout(int minutes) {
        container.sessions().setMinutes(minutes);
    }

    @Override
    public String getRequestCharacterEncoding() {
        return requestEncoding;
    }

    @Override
    public void setRequestCharacterEncoding(String encoding) {
        requestEncoding = encoding;
    }

    @Override
    public String getResponseCharacterEncoding() {
        return responseEncoding;
    }

    @Override
    public void setResponseCharacterEncoding(String encoding) {
        responseEncoding = encoding;
    }
}
