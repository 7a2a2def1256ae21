package virga.servlet;

import jakarta.servlet.DispatcherType;
import jakarta.servlet.ReadListener;
import jakarta.servlet.RequestDispatcher;
import jakarta.servlet.ServletContext;
import jakarta.servlet.ServletException;
import jakarta.servlet.ServletInputStream;
import jakarta.servlet.ServletRequest;
import jakarta.servlet.http.Cookie;
import jakarta.servlet.http.HttpServletResponse;
import jakarta.servlet.http.HttpSession;
import jakarta.servlet.http.Part;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.net.URLDecoder;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.Enumeration;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import virga.Request;

/** One request, as a servlet sees it. */
final class Call extends BareCall {
    private final Request request;
    private final Answer answer;
    private final Context context;
    private final Container container;
    private final String rawPath;
    private final String query;
    private String forwardedPath;
    private String forwardedQuery;
    private String servletPath = "";
    private String pathInfo;
    private String encoding;
    private Parameters parameters;
    private ServletInputStream input;
    private BufferedReader reader;
    private Session session;
    private Uploads uploads;
    private List<Part> parts;
    private boolean isSessionSought;

    Call(Request request, Answer answer, Context context, Container container) {
        this.request = request;
        this.answer = answer;
        this.context = context;
        this.container = container;
        String target = request.target();
        int mark = target.indexOf('?');
        rawPath = mark < 0 ? target : target.substring(0, mark);
        query = mark < 0 ? null : target.substring(mark + 1);
        encoding = context.getRequestCharacterEncoding();
    }

    /** The request inside of an app's wrappers. */
    static Call of(ServletRequest request) {
        return (Call) Container.unwrapped(request);
    }

    /** The path without its encoding, or null where it cannot be read. */
    String path() {
        try {
            return URLDecoder.decode(rawPath.replace("+", "%2B"), "UTF-8");
        } catch (IllegalArgumentException | java.io.UnsupportedEncodingException wrong) {
            return null;
        }
    }

    void at(String servlet, String info) {
        servletPath = servlet;
        pathInfo = info;
    }

    /** What the servlet that answers takes of forms of several parts; null for nothing. */
    void takes(Uploads given) {
        uploads = given;
    }

    void forwarded(String path, String added) {
        forwardedPath = path;
        forwardedQuery = added;
        parameters = null;
    }

    @Override
    public Cookie[] getCookies() {
        List<Cookie> cookies = new ArrayList<>();
        for (String header : all("Cookie")) {
            for (String pair : header.split(";")) {
                int equals = pair.indexOf('=');
                String name = equals < 0 ? "" : pair.substring(0, equals).trim();
                if (isToken(name)) {
                    cookies.add(new Cookie(name, pair.substring(equals + 1).trim()));
                }
            }
        }
        return cookies.isEmpty() ? null : cookies.toArray(new Cookie[0]);
    }

    /** A cookie of another name cannot be made, and is no reason to refuse the others. */
    private static boolean isToken(String name) {
        for (int i = 0; i < name.length(); i++) {
            char letter = name.charAt(i);
            if (letter <= ' ' || letter >= 127 || "/()<>@,;:\\\"[]?={}".indexOf(letter) >= 0) {
                return false;
            }
        }
        return !name.isEmpty() && name.charAt(0) != '$';
    }

    @Override
    public long getDateHeader(String name) {
        String value = getHeader(name);
        if (value == null) {
            return -1;
        }
        long date = Dates.read(value);
        if (date < 0) {
            throw new IllegalArgumentException("not a date: " + value);
        }
        return date;
    }

    @Override
    public String getHeader(String name) {
        String value = request.header(name);
        return value == null && name.equalsIgnoreCase("Host") && !request.authority().isEmpty() ? request.authority() : value;
    }

    private List<String> all(String name) {
        List<String> values = new ArrayList<>();
        for (int i = 0; i < request.headerCount(); i++) {
            if (request.headerName(i).equalsIgnoreCase(name)) {
                values.add(request.headerValue(i));
            }
        }
        return values;
    }

    @Override
    public Enumeration<String> getHeaders(String name) {
        return Collections.enumeration(all(name));
    }

    @Override
    public Enumeration<String> getHeaderNames() {
        LinkedHashSet<String> names = new LinkedHashSet<>();
        for (int i = 0; i < request.headerCount(); i++) {
            names.add(request.headerName(i).toLowerCase());
        }
        return Collections.enumeration(names);
    }

    @Override
    public int getIntHeader(String name) {
        String value = getHeader(name);
        return value == null ? -1 : Integer.parseInt(value.trim());
    }

    @Override
    public String getMethod() {
        return request.method();
    }

    @Override
    public String getPathInfo() {
        return pathInfo;
    }

    @Override
    public String getQueryString() {
        return forwardedQuery != null ? forwardedQuery : query;
    }

    @Override
    public String getRequestedSessionId() {
        Cookie[] cookies = getCookies();
        for (Cookie cookie : cookies == null ? new Cookie[0] : cookies) {
            if (cookie.getName().equals(Sessions.COOKIE)) {
                return cookie.getValue();
            }
        }
        return null;
    }

    @Override
    public String getRequestURI() {
        return forwardedPath != null ? forwardedPath : rawPath;
    }

    @Override
    public StringBuffer getRequestURL() {
        String port = getServerPort() == (isSecure() ? 443 : 80) ? "" : ":" + getServerPort();
        return new StringBuffer(getScheme() + "://" + getServerName() + port + getRequestURI());
    }

    @Override
    public String getServletPath() {
        return servletPath;
    }

    @Override
    public HttpSession getSession(boolean create) {
        if (!isSessionSought) {
            isSessionSought = true;
            String id = getRequestedSessionId();
            session = id == null ? null : container.sessions().use(id);
        }
        if (session != null && container.sessions().find(session.getId()) == null) {
            session = null;
        }
        if (session == null && create) {
            if (answer.isCommitted()) {
                throw new IllegalStateException("the answer has begun: no session can begin any more");
            }
            session = container.sessions().create();
            sendCookie();
        }
        return session;
    }

    private void sendCookie() {
        Cookie cookie = new Cookie(Sessions.COOKIE, session.getId());
        cookie.setPath("/");
        cookie.setHttpOnly(true);
        cookie.setSecure(isSecure());
        answer.setSession(cookie);
    }

    @Override
    public HttpSession getSession() {
        return getSession(true);
    }

    @Override
    public String changeSessionId() {
        if (getSession(false) == null) {
            throw new IllegalStateException("there is no session");
        }
        container.sessions().rename(session);
        sendCookie();
        return session.getId();
    }

    @Override
    public boolean isRequestedSessionIdValid() {
        return isRequestedSessionIdFromCookie() && container.sessions().find(getRequestedSessionId()) != null;
    }

    @Override
    public boolean isRequestedSessionIdFromCookie() {
        return getRequestedSessionId() != null;
    }

    @Override
    public Collection<Part> getParts() throws IOException, ServletException {
        if (uploads == null) {
            throw new IllegalStateException("the servlet has no @MultipartConfig, so that it takes no form of several parts");
        }
        if (parts == null) {
            parts = uploads.read(getContentType(), stream());
        }
        return parts;
    }

    @Override
    public Part getPart(String name) throws IOException, ServletException {
        for (Part one : getParts()) {
            if (one.getName().equals(name)) {
                return one;
            }
        }
        return null;
    }

    @Override
    public String getCharacterEncoding() {
        if (encoding != null) {
            return encoding;
        }
        String type = getContentType();
        int at = type == null ? -1 : type.toLowerCase().indexOf("charset=");
        return at < 0 ? null : type.substring(at + "charset=".length()).split(";")[0].replace("\"", "").trim();
    }

    @Override
    public void setCharacterEncoding(String given) {
        encoding = given;
    }

    @Override
    public int getContentLength() {
        long length = getContentLengthLong();
        return length > Integer.MAX_VALUE ? -1 : (int) length;
    }

    @Override
    public long getContentLengthLong() {
        try {
            String value = getHeader("Content-Length");
            return value == null ? -1 : Long.parseLong(value.trim());
        } catch (NumberFormatException wrong) {
            return -1;
        }
    }

    @Override
    public String getContentType() {
        return getHeader("Content-Type");
    }

    @Override
    public ServletInputStream getInputStream() {
        if (reader != null) {
            throw new IllegalStateException("getReader() has already been called for this request");
        }
        return stream();
    }

    private ServletInputStream stream() {
        if (input == null) {
            input = new Input(request.body());
        }
        return input;
    }

    @Override
    public BufferedReader getReader() throws IOException {
        if (reader == null) {
            if (input != null) {
                throw new IllegalStateException("getInputStream() has already been called for this request");
            }
            reader = new BufferedReader(new InputStreamReader(stream(), charset()));
        }
        return reader;
    }

    private String charset() {
        String named = getCharacterEncoding();
        return named == null ? "UTF-8" : named;
    }

    private static final class Input extends ServletInputStream {
        private final InputStream body;
        private boolean isFinished;

        Input(InputStream body) {
            this.body = body;
        }

        @Override
        public boolean isFinished() {
            return isFinished;
        }

        @Override
        public boolean isReady() {
            return true;
        }

        @Override
        public void setReadListener(ReadListener listener) {
            throw new IllegalStateException("the request is not asynchronous: read it in its thread");
        }

        @Override
        public int read() throws IOException {
            int got = body.read();
            isFinished |= got < 0;
            return got;
        }

        @Override
        public int read(byte[] into, int offset, int length) throws IOException {
            int got = body.read(into, offset, length);
            isFinished |= got < 0;
            return got;
        }
    }

    private Parameters parameters() {
        if (parameters == null) {
            parameters = new Parameters();
            if (forwardedQuery != null) {
                parameters.parse(forwardedQuery, "UTF-8");
            }
            if (query != null) {
                parameters.parse(query, "UTF-8");
            }
            String type = getContentType();
            if (type != null && type.toLowerCase().startsWith("application/x-www-form-urlencoded") && input == null) {
                try {
                    parameters.parse(new String(stream().readAllBytes(), "ISO-8859-1"), charset());
                } catch (IOException gone) {
                    throw new IllegalStateException("the form cannot be read: " + gone.getMessage(), gone);
                }
            }
            if (type != null && type.toLowerCase().startsWith("multipart/form-data") && uploads != null) {
                addFields();
            }
        }
        return parameters;
    }

    /** The fields among the parts; files are none. */
    private void addFields() {
        try {
            for (Part one : getParts()) {
                if (one.getSubmittedFileName() == null && one instanceof Upload field) {
                    parameters.add(field.getName(), field.text(charset()));
                }
            }
        } catch (IOException | ServletException wrong) {
            throw new IllegalStateException("the form cannot be read: " + wrong.getMessage(), wrong);
        }
    }

    @Override
    public String getParameter(String name) {
        String[] values = parameters().values(name);
        return values == null ? null : values[0];
    }

    @Override
    public Enumeration<String> getParameterNames() {
        return Collections.enumeration(parameters().map().keySet());
    }

    @Override
    public String[] getParameterValues(String name) {
        return parameters().values(name);
    }

    @Override
    public Map<String, String[]> getParameterMap() {
        return Collections.unmodifiableMap(parameters().map());
    }

    @Override
    public String getScheme() {
        return "https".equals(request.header("x-forwarded-proto")) ? "https" : "http";
    }

    @Override
    public String getServerName() {
        String host = getHeader("Host");
        if (host == null) {
            return "localhost";
        }
        int colon = host.lastIndexOf(':');
        return colon > host.lastIndexOf(']') ? host.substring(0, colon) : host;
    }

    @Override
    public int getServerPort() {
        String host = getHeader("Host");
        int colon = host == null ? -1 : host.lastIndexOf(':');
        if (colon > 0 && colon > host.lastIndexOf(']')) {
            try {
                return Integer.parseInt(host.substring(colon + 1));
            } catch (NumberFormatException wrong) {
                return isSecure() ? 443 : 80;
            }
        }
        return isSecure() ? 443 : 80;
    }

    @Override
    public String getRemoteAddr() {
        String forwarded = request.header("x-forwarded-for");
        return forwarded == null ? "127.0.0.1" : forwarded.split(",")[0].trim();
    }

    @Override
    public String getRemoteHost() {
        return getRemoteAddr();
    }

    @Override
    public Locale getLocale() {
        String wanted = getHeader("Accept-Language");
        String first = wanted == null ? "" : wanted.split("[,;]")[0].trim();
        if (first.isEmpty() || first.equals("*")) {
            return Locale.getDefault();
        }
        String[] parts = first.split("-");
        return new Locale(parts[0], parts.length > 1 ? parts[1] : "");
    }

    @Override
    public Enumeration<Locale> getLocales() {
        return Collections.enumeration(List.of(getLocale()));
    }

    @Override
    public boolean isSecure() {
        return getScheme().equals("https");
    }

    @Override
    public RequestDispatcher getRequestDispatcher(String path) {
        String base = getRequestURI();
        return container.dispatcher(path.startsWith("/") ? path : base.substring(0, base.lastIndexOf('/') + 1) + path);
    }

    @Override
    public String getLocalName() {
        return getServerName();
    }

    @Override
    public int getLocalPort() {
        return getServerPort();
    }

    @Override
    public ServletContext getServletContext() {
        return context;
    }

    @Override
    public DispatcherType getDispatcherType() {
        return forwardedPath != null ? DispatcherType.FORWARD : DispatcherType.REQUEST;
    }

    @Override
    public String getRequestId() {
        String id = request.header("x-vcap-request-id");
        return id == null ? "" : id;
    }
}
