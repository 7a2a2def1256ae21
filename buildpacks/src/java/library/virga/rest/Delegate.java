package virga.rest;

import jakarta.ws.rs.core.CacheControl;
import jakarta.ws.rs.core.Cookie;
import jakarta.ws.rs.core.EntityTag;
import jakarta.ws.rs.core.Link;
import jakarta.ws.rs.core.MediaType;
import jakarta.ws.rs.core.NewCookie;
import jakarta.ws.rs.core.Response;
import jakarta.ws.rs.core.UriBuilder;
import jakarta.ws.rs.core.Variant;
import jakarta.ws.rs.ext.RuntimeDelegate;
import java.util.Date;

/** What stands behind the static methods of the API. */
public final class Delegate extends RuntimeDelegate {
    @Override
    public UriBuilder createUriBuilder() {
        return new Target();
    }

    @Override
    public Response.ResponseBuilder createResponseBuilder() {
        return new ReplyBuilder();
    }

    @Override
    public Variant.VariantListBuilder createVariantListBuilder() {
        return new Variants();
    }

    @Override
    public Link.Builder createLinkBuilder() {
        throw new UnsupportedOperationException("jakarta.ws.rs.core.Link is not there on this platform");
    }

    @Override
    @SuppressWarnings("unchecked")
    public <T> HeaderDelegate<T> createHeaderDelegate(Class<T> type) {
        Object found;
        if (type == MediaType.class) {
            found = new MediaTypes();
        } else if (type == NewCookie.class) {
            found = new Cookies.New();
        } else if (type == Cookie.class) {
            found = new Cookies.Sent();
        } else if (type == CacheControl.class) {
            found = new CacheControls();
        } else if (type == EntityTag.class) {
            found = new EntityTags();
        } else if (type == Date.class) {
            found = new Dates();
        } else {
            throw new IllegalArgumentException("no header is read or written as " + type.getName());
        }
        return (HeaderDelegate<T>) found;
    }

    private static final class Dates implements HeaderDelegate<Date> {
        @Override
        public Date fromString(String text) {
            long read = virga.servlet.Dates.read(text);
            if (read < 0) {
                throw new IllegalArgumentException("not a date: " + text);
            }
            return new Date(read);
        }

        @Override
        public String toString(Date date) {
            return virga.servlet.Dates.write(date.getTime());
        }
    }

    private static final class EntityTags implements HeaderDelegate<EntityTag> {
        @Override
        public EntityTag fromString(String text) {
            String rest = text.trim();
            boolean isWeak = rest.startsWith("W/");
            rest = isWeak ? rest.substring(2) : rest;
            boolean isQuoted = rest.length() > 1 && rest.startsWith("\"") && rest.endsWith("\"");
            return new EntityTag(isQuoted ? rest.substring(1, rest.length() - 1) : rest, isWeak);
        }

        @Override
        public String toString(EntityTag tag) {
            return (tag.isWeak() ? "W/\"" : "\"") + tag.getValue().replace("\"", "\\\"") + "\"";
        }
    }
}
