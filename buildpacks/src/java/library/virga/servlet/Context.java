package virga.servlet;

import jakarta.servlet.Filter;
import jakarta.servlet.FilterRegistration;
import jakarta.servlet.RequestDispatcher;
import jakarta.servlet.Servlet;
import jakarta.servlet.ServletContext;
import jakarta.servlet.ServletRegistration;
import jakarta.servlet.SessionCookieConfig;
import jakarta.servlet.SessionTrackingMode;
import jakarta.servlet.descriptor.JspConfigDescriptor;
import java.io.InputStream;
import java.net.URL;
import java.util.Collections;
import java.util.Enumeration;
import java.util.EventListener;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;

/** The app as its servlets see it. What would register, load or look up classes at run time is refused. */
final class Context implements ServletContext {
    private final Container container;
    private final Map<String, String> parameters = new LinkedHashMap<>();
    private final Map<String, Object> attributes = new LinkedHashMap<>();
    private String requestEncoding;
    private String responseEncoding;

    Context(Container container) {
        this.container = container;
    }

    static UnsupportedOperationException no(String what) {
        return new UnsupportedOperationException(what + " is not there on this platform");
    }

    @Override
    public String getContextPath() {
        return "";
    }

    @Override
    public ServletContext getContext(String path) {
        return this;
    }

    @Override
    public int getMajorVersion() {
        return 6;
    }

    @Override
    public int getMinorVersion() {
        return 1;
    }

    @Override
    public int getEffectiveMajorVersion() {
        return 6;
    }

    @Override
    public int getEffectiveMinorVersion() {
        return 1;
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
            default -> null;
        };
    }

    @Override
    public Set<String> getResourcePaths(String path) {
        return null;
    }

    @Override
    public URL getResource(String path) {
        return null;
    }

    @Override
    public InputStream getResourceAsStream(String path) {
        return null;
    }

    @Override
    public RequestDispatcher getRequestDispatcher(String path) {
        return path.startsWith("/") ? container.dispatcher(path) : null;
    }

    @Override
    public RequestDispatcher getNamedDispatcher(String name) {
        throw no("ServletContext.getNamedDispatcher");
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

    @Override
    public String getRealPath(String path) {
        return null;
    }

    @Override
    public String getServerInfo() {
        return "Virga/1";
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
    public Object getAttribute(String name) {
        return attributes.get(name);
    }

    @Override
    public Enumeration<String> getAttributeNames() {
        return Collections.enumeration(attributes.keySet());
    }

    @Override
    public void setAttribute(String name, Object value) {
        if (value == null) {
            attributes.remove(name);
        } else {
            attributes.put(name, value);
        }
    }

    @Override
    public void removeAttribute(String name) {
        attributes.remove(name);
    }

    @Override
    public String getServletContextName() {
        return "";
    }

    @Override
    public ServletRegistration.Dynamic addServlet(String name, String className) {
        throw no("ServletContext.addServlet by the name of a class");
    }

    @Override
    public ServletRegistration.Dynamic addServlet(String name, Servlet servlet) {
        throw no("ServletContext.addServlet");
    }

    @Override
    public ServletRegistration.Dynamic addServlet(String name, Class<? extends Servlet> type) {
        throw no("ServletContext.addServlet");
    }

    @Override
    public ServletRegistration.Dynamic addJspFile(String name, String file) {
        throw no("JSP");
    }

    @Override
    public <T extends Servlet> T createServlet(Class<T> type) {
        throw no("ServletContext.createServlet");
    }

    @Override
    public ServletRegistration getServletRegistration(String name) {
        return null;
    }

    @Override
    public Map<String, ? extends ServletRegistration> getServletRegistrations() {
        return Collections.emptyMap();
    }

    @Override
    public FilterRegistration.Dynamic addFilter(String name, String className) {
        throw no("ServletContext.addFilter by the name of a class");
    }

    @Override
    public FilterRegistration.Dynamic addFilter(String name, Filter filter) {
        throw no("ServletContext.addFilter");
    }

    @Override
    public FilterRegistration.Dynamic addFilter(String name, Class<? extends Filter> type) {
        throw no("ServletContext.addFilter");
    }

    @Override
    public <T extends Filter> T createFilter(Class<T> type) {
        throw no("ServletContext.createFilter");
    }

    @Override
    public FilterRegistration getFilterRegistration(String name) {
        return null;
    }

    @Override
    public Map<String, ? extends FilterRegistration> getFilterRegistrations() {
        return Collections.emptyMap();
    }

    @Override
    public SessionCookieConfig getSessionCookieConfig() {
        throw no("a session");
    }

    @Override
    public void setSessionTrackingModes(Set<SessionTrackingMode> modes) {
        throw no("a session");
    }

    @Override
    public Set<SessionTrackingMode> getDefaultSessionTrackingModes() {
        return Collections.emptySet();
    }

    @Override
    public Set<SessionTrackingMode> getEffectiveSessionTrackingModes() {
        return Collections.emptySet();
    }

    @Override
    public void addListener(String className) {
        throw no("ServletContext.addListener");
    }

    @Override
    public <T extends EventListener> void addListener(T listener) {
        throw no("ServletContext.addListener");
    }

    @Override
    public void addListener(Class<? extends EventListener> type) {
        throw no("ServletContext.addListener");
    }

    @Override
    public <T extends EventListener> T createListener(Class<T> type) {
        throw no("ServletContext.createListener");
    }

    @Override
    public JspConfigDescriptor getJspConfigDescriptor() {
        return null;
    }

    @Override
    public ClassLoader getClassLoader() {
        return ClassLoader.getSystemClassLoader();
    }

    @Override
    public void declareRoles(String... names) {
        throw no("a role");
    }

    @Override
    public String getVirtualServerName() {
        return "virga";
    }

    @Override
    public int getSessionTimeout() {
        return 0;
    }

    @Override
    public void setSessionTimeout(int minutes) {
        throw no("a session");
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
