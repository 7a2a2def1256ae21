package virga.rest;

import jakarta.ws.rs.core.EntityTag;
import jakarta.ws.rs.core.GenericEntity;
import jakarta.ws.rs.core.GenericType;
import jakarta.ws.rs.core.Link;
import jakarta.ws.rs.core.MediaType;
import jakarta.ws.rs.core.MultivaluedMap;
import jakarta.ws.rs.core.NewCookie;
import jakarta.ws.rs.core.Response;
import java.lang.annotation.Annotation;
import java.net.URI;
import java.util.Collections;
import java.util.Date;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/** An answer that a resource has made. */
final class Reply extends Response {
    private final HeaderMap<Object> headers;
    private StatusType status;
    private Object entity;
    private boolean isClosed;

    Reply(StatusType status, HeaderMap<Object> headers, Object entity) {
        this.status = status;
        this.headers = headers;
        this.entity = entity;
    }

    void setStatus(StatusType given) {
        status = given;
    }

    void setEntity(Object given) {
        entity = given;
    }

    HeaderMap<Object> headers() {
        return headers;
    }

    @Override
    public int getStatus() {
        return status.getStatusCode();
    }

    @Override
    public StatusType getStatusInfo() {
        return status;
    }

    @Override
    public Object getEntity() {
        if (isClosed) {
            throw new IllegalStateException("the response has been closed");
        }
        return entity instanceof GenericEntity<?> generic ? generic.getEntity() : entity;
    }

    @Override
    public <T> T readEntity(Class<T> type) {
        if (type.isInstance(getEntity())) {
            return type.cast(getEntity());
        }
        throw new IllegalStateException("the body of an answer that is still to be sent cannot be read as another type");
    }

    @Override
    public <T> T readEntity(GenericType<T> type) {
        throw new IllegalStateException("the body of an answer that is still to be sent cannot be read as another type");
    }

    @Override
    public <T> T readEntity(Class<T> type, Annotation[] annotations) {
        return readEntity(type);
    }

    @Override
    public <T> T readEntity(GenericType<T> type, Annotation[] annotations) {
        return readEntity(type);
    }

    @Override
    public boolean hasEntity() {
        return getEntity() != null;
    }

    @Override
    public boolean bufferEntity() {
        return false;
    }

    @Override
    public void close() {
        isClosed = true;
    }

    @Override
    public boolean isClosed() {
        return isClosed;
    }

    @Override
    public MediaType getMediaType() {
        Object value = headers.getFirst("Content-Type");
        return value == null ? null : value instanceof MediaType type ? type : MediaType.valueOf(value.toString());
    }

    @Override
    public Locale getLanguage() {
        Object value = headers.getFirst("Content-Language");
        return value == null ? null : value instanceof Locale locale ? locale : HeaderMap.locale(value.toString());
    }

    @Override
    public int getLength() {
        Object value = headers.getFirst("Content-Length");
        return value == null ? -1 : Integer.parseInt(value.toString());
    }

    @Override
    public Set<String> getAllowedMethods() {
        Set<String> methods = new LinkedHashSet<>();
        String joined = headers.joined("Allow");
        for (String method : joined == null ? new String[0] : joined.split(",")) {
            methods.add(method.trim().toUpperCase());
        }
        return methods;
    }

    @Override
    public Map<String, NewCookie> getCookies() {
        Map<String, NewCookie> cookies = new LinkedHashMap<>();
        List<Object> values = headers.get("Set-Cookie");
        for (Object value : values == null ? List.of() : values) {
            NewCookie cookie = value instanceof NewCookie one ? one : NewCookie.valueOf(value.toString());
            cookies.put(cookie.getName(), cookie);
        }
        return cookies;
    }

    @Override
    public EntityTag getEntityTag() {
        Object value = headers.getFirst("ETag");
        return value == null ? null : value instanceof EntityTag tag ? tag : EntityTag.valueOf(value.toString());
    }

    private Date date(String name) {
        Object value = headers.getFirst(name);
        return value == null ? null : value instanceof Date date ? date : new Date(virga.servlet.Dates.read(value.toString()));
    }

    @Override
    public Date getDate() {
        return date("Date");
    }

    @Override
    public Date getLastModified() {
        return date("Last-Modified");
    }

    @Override
    public URI getLocation() {
        Object value = headers.getFirst("Location");
        return value == null ? null : value instanceof URI uri ? uri : URI.create(value.toString());
    }

    @Override
    public Set<Link> getLinks() {
        return Collections.emptySet();
    }

    @Override
    public boolean hasLink(String relation) {
        return false;
    }

    @Override
    public Link getLink(String relation) {
        return null;
    }

    @Override
    public Link.Builder getLinkBuilder(String relation) {
        return null;
    }

    @Override
    public MultivaluedMap<String, Object> getMetadata() {
        return headers;
    }

    @Override
    public MultivaluedMap<String, String> getStringHeaders() {
        return headers.texts();
    }

    @Override
    public String getHeaderString(String name) {
        return headers.joined(name);
    }
}
