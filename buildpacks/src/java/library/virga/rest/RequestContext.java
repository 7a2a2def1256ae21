package virga.rest;

import jakarta.servlet.http.HttpServletRequest;
import jakarta.ws.rs.container.ContainerRequestContext;
import jakarta.ws.rs.core.Cookie;
import jakarta.ws.rs.core.MediaType;
import jakarta.ws.rs.core.MultivaluedMap;
import jakarta.ws.rs.core.Request;
import jakarta.ws.rs.core.Response;
import jakarta.ws.rs.core.SecurityContext;
import jakarta.ws.rs.core.UriInfo;
import java.io.InputStream;
import java.net.URI;
import java.util.Collection;
import java.util.Collections;
import java.util.Date;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Predicate;

/** A request, as a filter sees it. */
final class RequestContext implements ContainerRequestContext {
    private final Call call;
    private final boolean isBeforeMatching;
    private Response answer;

    RequestContext(Call call, boolean isBeforeMatching) {
        this.call = call;
        this.isBeforeMatching = isBeforeMatching;
    }

    /** What a filter answers in the place of the resource, or null. */
    Response answer() {
        return answer;
    }

    private HttpServletRequest request() {
        return call.request();
    }

    @Override
    public Object getProperty(String name) {
        return request().getAttribute(name);
    }

    @Override
    public Collection<String> getPropertyNames() {
        return Collections.list(request().getAttributeNames());
    }

    @Override
    public void setProperty(String name, Object value) {
        request().setAttribute(name, value);
    }

    @Override
    public void removeProperty(String name) {
        request().removeAttribute(name);
    }

    @Override
    public UriInfo getUriInfo() {
        return call.address();
    }

    private void early(String what) {
        if (!isBeforeMatching) {
            throw new IllegalStateException(what + " is for filters with @PreMatching");
        }
    }

    @Override
    public void setRequestUri(URI uri) {
        setRequestUri(call.address().getBaseUri(), uri);
    }

    @Override
    public void setRequestUri(URI base, URI uri) {
        early("setRequestUri");
        String root = base.toString().endsWith("/") ? base.toString() : base + "/";
        URI whole = base.resolve(uri);
        String path = whole.getRawPath();
        String prefix = URI.create(root).getRawPath();
        if (!path.startsWith(prefix)) {
            throw new IllegalArgumentException(uri + " is not below " + base);
        }
        call.setAddress(new Address(root, path.substring(prefix.length()), whole.getRawQuery()));
    }

    @Override
    public Request getRequest() {
        return call.conditions();
    }

    @Override
    public String getMethod() {
        return call.method();
    }

    @Override
    public void setMethod(String method) {
        early("setMethod");
        call.setMethod(method);
    }

    @Override
    public MultivaluedMap<String, String> getHeaders() {
        return call.head().map();
    }

    @Override
    public String getHeaderString(String name) {
        return call.head().getHeaderString(name);
    }

    @Override
    public boolean containsHeaderString(String name, String separator, Predicate<String> wanted) {
        return call.head().containsHeaderString(name, separator, wanted);
    }

    @Override
    public Date getDate() {
        return call.head().getDate();
    }

    @Override
    public Locale getLanguage() {
        return call.head().getLanguage();
    }

    @Override
    public int getLength() {
        return call.head().getLength();
    }

    @Override
    public MediaType getMediaType() {
        return call.head().getMediaType();
    }

    @Override
    public List<MediaType> getAcceptableMediaTypes() {
        return call.head().getAcceptableMediaTypes();
    }

    @Override
    public List<Locale> getAcceptableLanguages() {
        return call.head().getAcceptableLanguages();
    }

    @Override
    public Map<String, Cookie> getCookies() {
        return call.head().getCookies();
    }

    @Override
    public boolean hasEntity() {
        return getLength() > 0 || getMediaType() != null;
    }

    @Override
    public InputStream getEntityStream() {
        return call.stream();
    }

    @Override
    public void setEntityStream(InputStream stream) {
        call.setInput(stream);
    }

    @Override
    public SecurityContext getSecurityContext() {
        return call.security();
    }

    @Override
    public void setSecurityContext(SecurityContext context) {
        call.setSecurity(context);
    }

    @Override
    public void abortWith(Response response) {
        answer = response;
    }
}
