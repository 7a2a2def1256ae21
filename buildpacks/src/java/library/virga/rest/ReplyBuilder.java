package virga.rest;

import jakarta.ws.rs.core.CacheControl;
import jakarta.ws.rs.core.EntityTag;
import jakarta.ws.rs.core.Link;
import jakarta.ws.rs.core.MediaType;
import jakarta.ws.rs.core.MultivaluedMap;
import jakarta.ws.rs.core.NewCookie;
import jakarta.ws.rs.core.Response;
import jakarta.ws.rs.core.Response.ResponseBuilder;
import jakarta.ws.rs.core.Variant;
import java.lang.annotation.Annotation;
import java.net.URI;
import java.util.Arrays;
import java.util.Date;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/** Puts an answer together. */
final class ReplyBuilder extends ResponseBuilder {
    private HeaderMap<Object> headers = new HeaderMap<>();
    private Response.StatusType status = Response.Status.NO_CONTENT;
    private boolean isStatusSet;
    private Object entity;

    /** A status with the words that belong to it, or others. */
    static Response.StatusType statusOf(int code, String reason) {
        Response.Status known = Response.Status.fromStatusCode(code);
        String words = reason != null ? reason : known == null ? "" : known.getReasonPhrase();
        if (known != null && known.getReasonPhrase().equals(words)) {
            return known;
        }
        return new Response.StatusType() {
            @Override
            public int getStatusCode() {
                return code;
            }

            @Override
            public Response.Status.Family getFamily() {
                return Response.Status.Family.familyOf(code);
            }

            @Override
            public String getReasonPhrase() {
                return words;
            }
        };
    }

    @Override
    public Response build() {
        Response.StatusType given = isStatusSet || entity == null ? status : Response.Status.OK;
        HeaderMap<Object> copy = new HeaderMap<>();
        copy.putAll(headers);
        return new Reply(given, copy, entity);
    }

    @Override
    public ResponseBuilder clone() {
        ReplyBuilder copy = new ReplyBuilder();
        for (Map.Entry<String, List<Object>> header : headers.entrySet()) {
            copy.headers.addAll(header.getKey(), header.getValue());
        }
        copy.status = status;
        copy.isStatusSet = isStatusSet;
        copy.entity = entity;
        return copy;
    }

    @Override
    public ResponseBuilder status(int code) {
        return status(code, null);
    }

    @Override
    public ResponseBuilder status(int code, String reason) {
        if (code < 100 || code > 599) {
            throw new IllegalArgumentException("not a status of HTTP: " + code);
        }
        status = statusOf(code, reason);
        isStatusSet = true;
        return this;
    }

    @Override
    public ResponseBuilder entity(Object given) {
        entity = given;
        return this;
    }

    @Override
    public ResponseBuilder entity(Object given, Annotation[] annotations) {
        return entity(given);
    }

    @Override
    public ResponseBuilder allow(String... methods) {
        return allow(methods == null ? null : new LinkedHashSet<>(Arrays.asList(methods)));
    }

    @Override
    public ResponseBuilder allow(Set<String> methods) {
        return only("Allow", methods == null ? null : String.join(", ", methods));
    }

    @Override
    public ResponseBuilder cacheControl(CacheControl control) {
        return only("Cache-Control", control == null ? null : new CacheControls().toString(control));
    }

    @Override
    public ResponseBuilder encoding(String encoding) {
        return only("Content-Encoding", encoding);
    }

    @Override
    public ResponseBuilder header(String name, Object value) {
        if (value == null) {
            headers.remove(name);
        } else if (name.equalsIgnoreCase("Content-Type") || name.equalsIgnoreCase("Content-Length") || name.equalsIgnoreCase("Location")) {
            headers.putSingle(name, value);
        } else {
            headers.add(name, value);
        }
        return this;
    }

    private ResponseBuilder only(String name, Object value) {
        headers.remove(name);
        return header(name, value);
    }

    @Override
    public ResponseBuilder replaceAll(MultivaluedMap<String, Object> all) {
        headers = new HeaderMap<>();
        if (all != null) {
            for (Map.Entry<String, List<Object>> header : all.entrySet()) {
                headers.addAll(header.getKey(), header.getValue());
            }
        }
        return this;
    }

    @Override
    public ResponseBuilder language(String language) {
        return only("Content-Language", language);
    }

    @Override
    public ResponseBuilder language(Locale language) {
        return only("Content-Language", language);
    }

    @Override
    public ResponseBuilder type(MediaType type) {
        return only("Content-Type", type);
    }

    @Override
    public ResponseBuilder type(String type) {
        return type(type == null ? null : MediaType.valueOf(type));
    }

    @Override
    public ResponseBuilder variant(Variant variant) {
        type(variant == null ? null : variant.getMediaType());
        language(variant == null ? null : variant.getLanguage());
        return encoding(variant == null ? null : variant.getEncoding());
    }

    @Override
    public ResponseBuilder contentLocation(URI location) {
        return only("Content-Location", location);
    }

    @Override
    public ResponseBuilder cookie(NewCookie... cookies) {
        if (cookies == null) {
            headers.remove("Set-Cookie");
            return this;
        }
        for (NewCookie cookie : cookies) {
            headers.add("Set-Cookie", cookie);
        }
        return this;
    }

    @Override
    public ResponseBuilder expires(Date date) {
        return only("Expires", date);
    }

    @Override
    public ResponseBuilder lastModified(Date date) {
        return only("Last-Modified", date);
    }

    /** One without a host is of this app. */
    @Override
    public ResponseBuilder location(URI location) {
        Call call = Call.current();
        boolean isRelative = location != null && !location.isAbsolute() && call != null;
        return only("Location", isRelative ? call.address().getBaseUri().resolve(location) : location);
    }

    @Override
    public ResponseBuilder tag(EntityTag tag) {
        return only("ETag", tag);
    }

    @Override
    public ResponseBuilder tag(String tag) {
        return tag(tag == null ? null : new EntityTag(tag));
    }

    @Override
    public ResponseBuilder variants(Variant... variants) {
        return variants(variants == null ? null : Arrays.asList(variants));
    }

    @Override
    public ResponseBuilder variants(List<Variant> variants) {
        Set<String> names = new LinkedHashSet<>();
        for (Variant one : variants == null ? List.<Variant>of() : variants) {
            if (one.getMediaType() != null) {
                names.add("Accept");
            }
            if (one.getLanguage() != null) {
                names.add("Accept-Language");
            }
            if (one.getEncoding() != null) {
                names.add("Accept-Encoding");
            }
        }
        return only("Vary", names.isEmpty() ? null : String.join(", ", names));
    }

    @Override
    public ResponseBuilder links(Link... links) {
        throw new UnsupportedOperationException("jakarta.ws.rs.core.Link is not there on this platform");
    }

    @Override
    public ResponseBuilder link(URI uri, String relation) {
        return link(uri.toString(), relation);
    }

    @Override
    public ResponseBuilder link(String uri, String relation) {
        headers.add("Link", "<" + uri + ">; rel=\"" + relation + "\"");
        return this;
    }
}
