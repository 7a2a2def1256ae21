package virga.rest;

import jakarta.ws.rs.core.MultivaluedHashMap;
import jakarta.ws.rs.core.MultivaluedMap;
import jakarta.ws.rs.core.PathSegment;
import jakarta.ws.rs.core.UriBuilder;
import jakarta.ws.rs.core.UriInfo;
import java.net.URI;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import virga.servlet.Parameters;

/** Where a request goes. */
final class Address implements UriInfo {
    private final String base;
    private final String path;
    private final String query;
    private List<String> matched = Collections.emptyList();
    private String template = "";
    private Object resource;

    /** The base ends with `/`; the path is what follows, with its escapes and no `/` at its begin. */
    Address(String base, String path, String query) {
        this.base = base;
        this.path = path;
        this.query = query;
    }

    void matched(List<String> namesAndValues, String by) {
        matched = namesAndValues;
        template = by;
    }

    void answeredBy(Object given) {
        resource = given;
    }

    @Override
    public String getPath() {
        return getPath(true);
    }

    @Override
    public String getPath(boolean isDecoded) {
        return isDecoded ? Escapes.read(path) : path;
    }

    @Override
    public List<PathSegment> getPathSegments() {
        return getPathSegments(true);
    }

    @Override
    public List<PathSegment> getPathSegments(boolean isDecoded) {
        List<PathSegment> segments = new ArrayList<>();
        for (String segment : path.split("/")) {
            segments.add(new Segment(segment, isDecoded));
        }
        return segments;
    }

    /** One part of a path, with what follows its semicolons. */
    private static final class Segment implements PathSegment {
        private final String name;
        private final MultivaluedMap<String, String> matrix = new MultivaluedHashMap<>();

        Segment(String text, boolean isDecoded) {
            String[] parts = text.split(";");
            String first = parts.length == 0 ? "" : parts[0];
            name = isDecoded ? Escapes.read(first) : first;
            for (int i = 1; i < parts.length; i++) {
                int equals = parts[i].indexOf('=');
                String key = equals < 0 ? parts[i] : parts[i].substring(0, equals);
                String value = equals < 0 ? "" : parts[i].substring(equals + 1);
                matrix.add(isDecoded ? Escapes.read(key) : key, isDecoded ? Escapes.read(value) : value);
            }
        }

        @Override
        public String getPath() {
            return name;
        }

        @Override
        public MultivaluedMap<String, String> getMatrixParameters() {
            return matrix;
        }

        @Override
        public String toString() {
            return name;
        }
    }

    @Override
    public URI getRequestUri() {
        return getRequestUriBuilder().build();
    }

    @Override
    public UriBuilder getRequestUriBuilder() {
        UriBuilder builder = getAbsolutePathBuilder();
        return query == null ? builder : builder.replaceQuery(query.replace("{", "%7B").replace("}", "%7D"));
    }

    @Override
    public URI getAbsolutePath() {
        return getAbsolutePathBuilder().build();
    }

    @Override
    public UriBuilder getAbsolutePathBuilder() {
        return getBaseUriBuilder().path(path.replace("{", "%7B").replace("}", "%7D"));
    }

    @Override
    public URI getBaseUri() {
        return URI.create(base);
    }

    @Override
    public UriBuilder getBaseUriBuilder() {
        return new Target().uri(base);
    }

    @Override
    public MultivaluedMap<String, String> getPathParameters() {
        return getPathParameters(true);
    }

    @Override
    public MultivaluedMap<String, String> getPathParameters(boolean isDecoded) {
        MultivaluedMap<String, String> all = new MultivaluedHashMap<>();
        for (int i = 0; i < matched.size(); i += 2) {
            all.addFirst(matched.get(i), isDecoded ? Escapes.read(matched.get(i + 1)) : matched.get(i + 1));
        }
        return all;
    }

    @Override
    public MultivaluedMap<String, String> getQueryParameters() {
        return getQueryParameters(true);
    }

    @Override
    public MultivaluedMap<String, String> getQueryParameters(boolean isDecoded) {
        return isDecoded ? pairs(query == null ? "" : query, "UTF-8") : raw();
    }

    private MultivaluedMap<String, String> raw() {
        MultivaluedMap<String, String> all = new MultivaluedHashMap<>();
        for (String part : query == null ? new String[0] : query.split("&")) {
            int equals = part.indexOf('=');
            if (!part.isEmpty()) {
                all.add(Escapes.read(equals < 0 ? part : part.substring(0, equals)), equals < 0 ? "" : part.substring(equals + 1));
            }
        }
        return all;
    }

    /** What stands in `a=1&b=2`. */
    static MultivaluedMap<String, String> pairs(String text, String charset) {
        Parameters read = new Parameters();
        read.parse(text, charset);
        MultivaluedMap<String, String> all = new MultivaluedHashMap<>();
        for (Map.Entry<String, String[]> one : read.map().entrySet()) {
            for (String value : one.getValue()) {
                all.add(one.getKey(), value);
            }
        }
        return all;
    }

    @Override
    public List<String> getMatchedURIs() {
        return getMatchedURIs(true);
    }

    @Override
    public List<String> getMatchedURIs(boolean isDecoded) {
        return List.of(getPath(isDecoded));
    }

    @Override
    public String getMatchedResourceTemplate() {
        return template;
    }

    @Override
    public List<Object> getMatchedResources() {
        return resource == null ? List.of() : List.of(resource);
    }

    @Override
    public URI resolve(URI uri) {
        return getBaseUri().resolve(uri);
    }

    @Override
    public URI relativize(URI uri) {
        return getRequestUri().relativize(uri.isAbsolute() ? uri : resolve(uri));
    }
}
