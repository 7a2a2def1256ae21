package virga.rest;

import jakarta.ws.rs.container.ContainerResponseContext;
import jakarta.ws.rs.core.EntityTag;
import jakarta.ws.rs.core.Link;
import jakarta.ws.rs.core.MediaType;
import jakarta.ws.rs.core.MultivaluedMap;
import jakarta.ws.rs.core.NewCookie;
import jakarta.ws.rs.core.Response.StatusType;
import java.io.OutputStream;
import java.lang.annotation.Annotation;
import java.lang.reflect.Type;
import java.net.URI;
import java.util.Date;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;

/** An answer before it is sent, as a filter sees it. */
final class ResponseContext implements ContainerResponseContext {
    private final Reply reply;
    private OutputStream output;

    ResponseContext(Reply reply, OutputStream output) {
        this.reply = reply;
        this.output = output;
    }

    @Override
    public int getStatus() {
        return reply.getStatus();
    }

    @Override
    public void setStatus(int code) {
        reply.setStatus(ReplyBuilder.statusOf(code, null));
    }

    @Override
    public StatusType getStatusInfo() {
        return reply.getStatusInfo();
    }

    @Override
    public void setStatusInfo(StatusType status) {
        reply.setStatus(status);
    }

    @Override
    public MultivaluedMap<String, Object> getHeaders() {
        return reply.headers();
    }

    @Override
    public MultivaluedMap<String, String> getStringHeaders() {
        return reply.getStringHeaders();
    }

    @Override
    public String getHeaderString(String name) {
        return reply.getHeaderString(name);
    }

    @Override
    public boolean containsHeaderString(String name, String separator, Predicate<String> wanted) {
        return reply.headers().contains(name, separator, wanted);
    }

    @Override
    public Set<String> getAllowedMethods() {
        return reply.getAllowedMethods();
    }

    @Override
    public Date getDate() {
        return reply.getDate();
    }

    @Override
    public Locale getLanguage() {
        return reply.getLanguage();
    }

    @Override
    public int getLength() {
        return reply.getLength();
    }

    @Override
    public MediaType getMediaType() {
        return reply.getMediaType();
    }

    @Override
    public Map<String, NewCookie> getCookies() {
        return reply.getCookies();
    }

    @Override
    public EntityTag getEntityTag() {
        return reply.getEntityTag();
    }

    @Override
    public Date getLastModified() {
        return reply.getLastModified();
    }

    @Override
    public URI getLocation() {
        return reply.getLocation();
    }

    @Override
    public Set<Link> getLinks() {
        return reply.getLinks();
    }

    @Override
    public boolean hasLink(String relation) {
        return reply.hasLink(relation);
    }

    @Override
    public Link getLink(String relation) {
        return reply.getLink(relation);
    }

    @Override
    public Link.Builder getLinkBuilder(String relation) {
        return reply.getLinkBuilder(relation);
    }

    @Override
    public boolean hasEntity() {
        return reply.hasEntity();
    }

    @Override
    public Object getEntity() {
        return reply.getEntity();
    }

    @Override
    public Class<?> getEntityClass() {
        return reply.hasEntity() ? reply.getEntity().getClass() : null;
    }

    @Override
    public Type getEntityType() {
        return getEntityClass();
    }

    @Override
    public void setEntity(Object entity) {
        reply.setEntity(entity);
    }

    @Override
    public void setEntity(Object entity, Annotation[] annotations, MediaType type) {
        reply.setEntity(entity);
        if (type != null) {
            reply.headers().putSingle("Content-Type", type);
        }
    }

    @Override
    public Annotation[] getEntityAnnotations() {
        return new Annotation[0];
    }

    @Override
    public OutputStream getEntityStream() {
        return output;
    }

    @Override
    public void setEntityStream(OutputStream stream) {
        output = stream;
    }
}
