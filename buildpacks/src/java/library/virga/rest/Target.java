package virga.rest;

import jakarta.ws.rs.core.UriBuilder;
import jakarta.ws.rs.core.UriBuilderException;
import java.lang.reflect.Method;
import java.net.URI;
import java.net.URISyntaxException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** An address in the making; its parts may have `{variables}`. */
final class Target extends UriBuilder {
    private String scheme;
    private String opaque;
    private String user;
    private String host;
    private int port = -1;
    private StringBuilder path = new StringBuilder();
    private List<String> query = new ArrayList<>();
    private String fragment;

    private static UnsupportedOperationException no(String what) {
        return new UnsupportedOperationException("UriBuilder." + what + " is not there on this platform");
    }

    @Override
    public UriBuilder clone() {
        Target copy = new Target();
        copy.scheme = scheme;
        copy.opaque = opaque;
        copy.user = user;
        copy.host = host;
        copy.port = port;
        copy.path = new StringBuilder(path);
        copy.query = new ArrayList<>(query);
        copy.fragment = fragment;
        return copy;
    }

    @Override
    public UriBuilder uri(URI uri) {
        return uri(uri.toString());
    }

    @Override
    public UriBuilder uri(String text) {
        if (text == null) {
            throw new IllegalArgumentException("no address was given");
        }
        String rest = text;
        int hash = rest.indexOf('#');
        if (hash >= 0) {
            fragment = rest.substring(hash + 1);
            rest = rest.substring(0, hash);
        }
        int colon = rest.indexOf(':');
        int slash = rest.indexOf('/');
        int brace = rest.indexOf('{');
        if (colon > 0 && (slash < 0 || colon < slash) && (brace < 0 || colon < brace)) {
            scheme = rest.substring(0, colon);
            rest = rest.substring(colon + 1);
            if (!rest.startsWith("/")) {
                opaque = rest;
                return this;
            }
        }
        int mark = rest.indexOf('?');
        if (mark >= 0) {
            replaceQuery(rest.substring(mark + 1));
            rest = rest.substring(0, mark);
        }
        if (rest.startsWith("//")) {
            int end = rest.indexOf('/', 2);
            authority(rest.substring(2, end < 0 ? rest.length() : end));
            rest = end < 0 ? "" : rest.substring(end);
        }
        if (!rest.isEmpty()) {
            replacePath(rest);
        }
        return this;
    }

    private void authority(String text) {
        int at = text.lastIndexOf('@');
        user = at < 0 ? user : text.substring(0, at);
        String rest = text.substring(at + 1);
        int colon = rest.lastIndexOf(':');
        if (colon > rest.lastIndexOf(']')) {
            port = Integer.parseInt(rest.substring(colon + 1));
            rest = rest.substring(0, colon);
        }
        host = rest;
    }

    @Override
    public UriBuilder scheme(String given) {
        scheme = given;
        return this;
    }

    @Override
    public UriBuilder schemeSpecificPart(String given) {
        return uri((scheme == null ? "" : scheme + ":") + given);
    }

    @Override
    public UriBuilder userInfo(String given) {
        user = given;
        return this;
    }

    @Override
    public UriBuilder host(String given) {
        if (given != null && given.isEmpty()) {
            throw new IllegalArgumentException("a host cannot be empty");
        }
        host = given;
        return this;
    }

    @Override
    public UriBuilder port(int given) {
        if (given < -1) {
            throw new IllegalArgumentException("not a port: " + given);
        }
        port = given;
        return this;
    }

    @Override
    public UriBuilder replacePath(String given) {
        path.setLength(0);
        return given == null ? this : path(given);
    }

    @Override
    public UriBuilder path(String given) {
        boolean hasSlash = path.length() > 0 && path.charAt(path.length() - 1) == '/';
        String added = given;
        if (hasSlash && added.startsWith("/")) {
            added = added.substring(1);
        } else if (!hasSlash && path.length() > 0 && !added.isEmpty() && !added.startsWith("/")) {
            path.append('/');
        }
        path.append(added);
        return this;
    }

    @Override
    public UriBuilder path(Class resource) {
        String found = Rest.pathOf(resource);
        if (found == null) {
            throw new IllegalArgumentException(resource.getName() + " has no @Path");
        }
        return path(found);
    }

    @Override
    public UriBuilder path(Class resource, String method) {
        String found = Rest.pathOf(resource, method);
        if (found == null) {
            throw new IllegalArgumentException(resource.getName() + " has no method " + method + " with a @Path");
        }
        return path(found);
    }

    @Override
    public UriBuilder path(Method method) {
        throw no("path(Method)");
    }

    @Override
    public UriBuilder segment(String... segments) {
        for (String segment : segments) {
            path(segment.replace("/", "%2F"));
        }
        return this;
    }

    @Override
    public UriBuilder replaceMatrix(String matrix) {
        throw no("replaceMatrix");
    }

    @Override
    public UriBuilder matrixParam(String name, Object... values) {
        for (Object value : values) {
            path.append(';').append(name).append('=').append(value);
        }
        return this;
    }

    @Override
    public UriBuilder replaceMatrixParam(String name, Object... values) {
        throw no("replaceMatrixParam");
    }

    @Override
    public UriBuilder replaceQuery(String text) {
        query.clear();
        for (String part : text == null ? new String[0] : text.split("&")) {
            if (!part.isEmpty()) {
                query.add(part);
            }
        }
        return this;
    }

    @Override
    public UriBuilder queryParam(String name, Object... values) {
        for (Object value : values) {
            query.add(name.replace("&", "%26").replace("=", "%3D") + "=" + String.valueOf(value).replace("&", "%26").replace("+", "%2B"));
        }
        return this;
    }

    @Override
    public UriBuilder replaceQueryParam(String name, Object... values) {
        query.removeIf(part -> part.equals(name) || part.startsWith(name + "="));
        return values == null ? this : queryParam(name, values);
    }

    @Override
    public UriBuilder fragment(String given) {
        fragment = given;
        return this;
    }

    @Override
    public UriBuilder resolveTemplate(String name, Object value) {
        return resolveTemplate(name, value, true);
    }

    @Override
    public UriBuilder resolveTemplate(String name, Object value, boolean encodesSlash) {
        return resolved(Map.of(name, value), encodesSlash, false);
    }

    @Override
    public UriBuilder resolveTemplateFromEncoded(String name, Object value) {
        return resolved(Map.of(name, value), false, true);
    }

    @Override
    public UriBuilder resolveTemplates(Map<String, Object> values) {
        return resolveTemplates(values, true);
    }

    @Override
    public UriBuilder resolveTemplates(Map<String, Object> values, boolean encodesSlash) {
        return resolved(values, encodesSlash, false);
    }

    @Override
    public UriBuilder resolveTemplatesFromEncoded(Map<String, Object> values) {
        return resolved(values, false, true);
    }

    private UriBuilder resolved(Map<String, Object> values, boolean encodesSlash, boolean isEncoded) {
        Filling filling = new Filling(values, null, encodesSlash, isEncoded, true);
        path = new StringBuilder(filling.path(path.toString()));
        query.replaceAll(filling::query);
        return this;
    }

    @Override
    public URI buildFromMap(Map<String, ?> values) {
        return buildFromMap(values, true);
    }

    @Override
    public URI buildFromMap(Map<String, ?> values, boolean encodesSlash) {
        return built(new Filling(values, null, encodesSlash, false, false));
    }

    @Override
    public URI buildFromEncodedMap(Map<String, ?> values) {
        return built(new Filling(values, null, false, true, false));
    }

    @Override
    public URI build(Object... values) {
        return build(values, true);
    }

    @Override
    public URI build(Object[] values, boolean encodesSlash) {
        return built(new Filling(new LinkedHashMap<>(), values, encodesSlash, false, false));
    }

    @Override
    public URI buildFromEncoded(Object... values) {
        return built(new Filling(new LinkedHashMap<>(), values, false, true, false));
    }

    private URI built(Filling filling) {
        try {
            return new URI(text(filling));
        } catch (URISyntaxException wrong) {
            throw new UriBuilderException("not an address: " + wrong.getMessage(), wrong);
        }
    }

    @Override
    public String toTemplate() {
        return text(null);
    }

    private String text(Filling filling) {
        StringBuilder out = new StringBuilder(scheme == null ? "" : scheme + ":");
        if (opaque != null) {
            out.append(opaque);
        } else {
            if (host != null) {
                out.append("//").append(user == null ? "" : user + "@").append(filling == null ? host : filling.segment(host));
                out.append(port < 0 ? "" : ":" + port).append(path.length() > 0 && path.charAt(0) != '/' ? "/" : "");
            }
            out.append(filling == null ? path : filling.path(path.toString()));
            String between = "?";
            for (String part : query) {
                out.append(between).append(filling == null ? part : filling.query(part));
                between = "&";
            }
        }
        if (fragment != null) {
            out.append('#').append(filling == null ? fragment : filling.query(fragment));
        }
        return out.toString();
    }

    /** Puts values where variables are. */
    private static final class Filling {
        private final Map<String, Object> values = new LinkedHashMap<>();
        private final Object[] ordered;
        private final boolean encodesSlash;
        private final boolean isEncoded;
        private final boolean leavesOthers;
        private int next;

        Filling(Map<String, ?> values, Object[] ordered, boolean encodesSlash, boolean isEncoded, boolean leavesOthers) {
            this.values.putAll(values);
            this.ordered = ordered;
            this.encodesSlash = encodesSlash;
            this.isEncoded = isEncoded;
            this.leavesOthers = leavesOthers;
        }

        String path(String text) {
            return filled(text, 'p');
        }

        String segment(String text) {
            return filled(text, 's');
        }

        String query(String text) {
            return filled(text, 'q');
        }

        private String filled(String text, char part) {
            StringBuilder out = new StringBuilder();
            int begin = 0;
            for (int open = text.indexOf('{'); open >= 0; open = text.indexOf('{', begin)) {
                int close = text.indexOf('}', open);
                if (close < 0) {
                    throw new IllegalArgumentException("a { without its }: " + text);
                }
                out.append(literal(text.substring(begin, open), part));
                String name = text.substring(open + 1, close).split(":")[0].trim();
                Object value = value(name);
                out.append(value == null ? text.substring(open, close + 1) : escaped(value.toString(), part));
                begin = close + 1;
            }
            return out.append(literal(text.substring(begin), part)).toString();
        }

        private Object value(String name) {
            if (!values.containsKey(name) && ordered != null && next < ordered.length) {
                values.put(name, ordered[next++]);
            }
            Object value = values.get(name);
            if (value == null && !leavesOthers) {
                throw new IllegalArgumentException("no value was given for {" + name + "}");
            }
            return value;
        }

        private static String literal(String text, char part) {
            // An & or = that is there already stands between parameters.
            return part == 'q' ? text.replace(" ", "%20").replace("\"", "%22") : Escapes.path(text);
        }

        private String escaped(String value, char part) {
            if (part == 'q') {
                return Escapes.query(value, isEncoded);
            }
            return encodesSlash || part == 's' ? Escapes.segment(value, isEncoded) : Escapes.pathValue(value, isEncoded);
        }
    }
}
