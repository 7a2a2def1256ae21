package virga.rest;

import jakarta.servlet.ServletContext;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import jakarta.ws.rs.WebApplicationException;
import jakarta.ws.rs.core.Application;
import jakarta.ws.rs.core.Cookie;
import jakarta.ws.rs.core.Form;
import jakarta.ws.rs.core.HttpHeaders;
import jakarta.ws.rs.core.MediaType;
import jakarta.ws.rs.core.MultivaluedMap;
import jakarta.ws.rs.core.Request;
import jakarta.ws.rs.core.SecurityContext;
import jakarta.ws.rs.core.UriInfo;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.Reader;
import java.util.ArrayList;
import java.util.Enumeration;
import java.util.List;

/** One request on its way to a resource, with everything that a resource may ask of it. */
public final class Call {
    private static Call current;

    private final Rest rest;
    private final HttpServletRequest request;
    private final HttpServletResponse response;
    private final Conditions conditions = new Conditions(this);
    private Address address;
    private Head head;
    private SecurityContext security;
    private String method;
    private List<String> pathValues = List.of();
    private Route route;
    private InputStream input;
    private MultivaluedMap<String, String> form;
    private MultivaluedMap<String, String> query;
    private WebApplicationException problem;

    Call(Rest rest, HttpServletRequest request, HttpServletResponse response, Address address) {
        this.rest = rest;
        this.request = request;
        this.response = response;
        this.address = address;
        method = request.getMethod();
        security = new Identity(request.isSecure());
    }

    /** The one that is being answered, or null. */
    static Call current() {
        return current;
    }

    static void setCurrent(Call call) {
        current = call;
    }

    Rest rest() {
        return rest;
    }

    Route route() {
        return route;
    }

    void matched(Route found, List<String> namesAndValues) {
        route = found;
        pathValues = namesAndValues;
        address.matched(namesAndValues, found.template.text());
    }

    void setAddress(Address given) {
        address = given;
        query = null;
    }

    void setMethod(String given) {
        method = given;
    }

    String method() {
        return method;
    }

    void setSecurity(SecurityContext given) {
        security = given;
    }

    void setInput(InputStream given) {
        input = given;
    }

    void setProblem(WebApplicationException thrown) {
        problem = thrown;
    }

    /** Whether this was thrown by the platform and not by the app. */
    boolean isProblem(Throwable thrown) {
        return problem == thrown;
    }

    Head head() {
        if (head == null) {
            head = new Head(request);
        }
        return head;
    }

    Address address() {
        return address;
    }

    public UriInfo uriInfo() {
        return address;
    }

    public HttpHeaders headers() {
        return head();
    }

    public Request conditions() {
        return conditions;
    }

    public SecurityContext security() {
        return security;
    }

    public HttpServletRequest request() {
        return request;
    }

    public HttpServletResponse response() {
        return response;
    }

    public ServletContext servletContext() {
        return request.getServletContext();
    }

    public Application application() {
        return rest.application();
    }

    public Values path(String name, String absent) {
        List<String> found = new ArrayList<>();
        for (int i = 0; i < pathValues.size(); i += 2) {
            if (pathValues.get(i).equals(name)) {
                found.add(Escapes.read(pathValues.get(i + 1)));
            }
        }
        return new Values("part of the path", name, found, absent, 404);
    }

    public Values query(String name, String absent) {
        if (query == null) {
            query = address.getQueryParameters();
        }
        return new Values("query parameter", name, query.get(name), absent, 404);
    }

    public Values header(String name, String absent) {
        List<String> found = new ArrayList<>();
        if (head == null) {
            for (Enumeration<String> all = request.getHeaders(name); all.hasMoreElements();) {
                found.add(all.nextElement());
            }
        } else if (head.getRequestHeader(name) != null) {
            found = head.getRequestHeader(name);
        }
        return new Values("header", name, found, absent, 400);
    }

    public Values cookie(String name, String absent) {
        Cookie found = sentCookie(name);
        return new Values("cookie", name, found == null ? List.of() : List.of(found.getValue()), absent, 400);
    }

    public Cookie sentCookie(String name) {
        return head().getCookies().get(name);
    }

    public Values form(String name, String absent) {
        return new Values("field", name, formMap().get(name), absent, 400);
    }

    /** The fields of a form that is the body. */
    public MultivaluedMap<String, String> formMap() {
        if (form == null) {
            MediaType type = head().getMediaType();
            boolean isForm = type != null && MediaType.APPLICATION_FORM_URLENCODED_TYPE.isCompatible(type);
            form = Address.pairs(isForm ? text(bytes(), "ISO-8859-1") : "", MediaTypes.charset(type));
        }
        return form;
    }

    public Form formBody() {
        return new Form(formMap());
    }

    public InputStream stream() {
        try {
            return input == null ? request.getInputStream() : input;
        } catch (IOException gone) {
            throw Rest.problem(400, "the body cannot be read: " + gone.getMessage());
        }
    }

    public byte[] bytes() {
        try {
            return stream().readAllBytes();
        } catch (IOException gone) {
            throw Rest.problem(400, "the body cannot be read: " + gone.getMessage());
        }
    }

    public String text() {
        return text(bytes(), charset());
    }

    public Reader reader() {
        try {
            return new BufferedReader(new InputStreamReader(stream(), charset()));
        } catch (IOException wrong) {
            throw Rest.problem(415, "the body's charset is not known: " + charset());
        }
    }

    private String charset() {
        return MediaTypes.charset(head().getMediaType());
    }

    private static String text(byte[] bytes, String charset) {
        try {
            return new String(bytes, charset);
        } catch (IOException wrong) {
            throw Rest.problem(415, "the body's charset is not known: " + charset);
        }
    }

    /** The body as one plain value; none where it is empty. */
    public Values value() {
        String text = text().trim();
        return new Values("body", "", text.isEmpty() ? List.of() : List.of(text), null, 400);
    }

    /** The body as what a reader of the app makes of it, or JSON. */
    public <T> T body(Class<T> type, Json.Reader<T> json) {
        return rest.bodies().read(this, type, json);
    }
}
