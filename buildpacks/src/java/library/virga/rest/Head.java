package virga.rest;

import jakarta.ws.rs.core.Cookie;
import jakarta.ws.rs.core.HttpHeaders;
import jakarta.ws.rs.core.MediaType;
import jakarta.ws.rs.core.MultivaluedMap;
import jakarta.servlet.http.HttpServletRequest;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Date;
import java.util.Enumeration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Predicate;

/** The headers of a request. */
final class Head implements HttpHeaders {
    private final HeaderMap<String> all = new HeaderMap<>();

    Head(HttpServletRequest request) {
        for (Enumeration<String> names = request.getHeaderNames(); names.hasMoreElements();) {
            String name = names.nextElement();
            for (Enumeration<String> values = request.getHeaders(name); values.hasMoreElements();) {
                all.add(name, values.nextElement());
            }
        }
    }

    HeaderMap<String> map() {
        return all;
    }

    @Override
    public List<String> getRequestHeader(String name) {
        return all.get(name);
    }

    @Override
    public String getHeaderString(String name) {
        return all.joined(name);
    }

    @Override
    public boolean containsHeaderString(String name, String separator, Predicate<String> wanted) {
        return all.contains(name, separator, wanted);
    }

    @Override
    public MultivaluedMap<String, String> getRequestHeaders() {
        return all;
    }

    @Override
    public List<MediaType> getAcceptableMediaTypes() {
        List<String> lines = all.get("Accept");
        List<MediaType> types = new ArrayList<>();
        if (lines != null) {
            try {
                types = MediaTypes.list(lines);
            } catch (IllegalArgumentException wrong) {
                throw Rest.problem(400, "the header Accept cannot be read: " + wrong.getMessage());
            }
        }
        if (types.isEmpty()) {
            types.add(MediaType.WILDCARD_TYPE);
        }
        types.sort((a, b) -> {
            int wanted = Integer.compare(MediaTypes.quality(b), MediaTypes.quality(a));
            return wanted != 0 ? wanted : Integer.compare(MediaTypes.closeness(b), MediaTypes.closeness(a));
        });
        return types;
    }

    @Override
    public List<Locale> getAcceptableLanguages() {
        List<Locale> languages = new ArrayList<>();
        String joined = all.joined("Accept-Language");
        for (String one : joined == null ? new String[0] : joined.split(",")) {
            String name = one.split(";")[0].trim();
            if (!name.isEmpty()) {
                languages.add(name.equals("*") ? new Locale("*") : HeaderMap.locale(name));
            }
        }
        return languages.isEmpty() ? Collections.singletonList(new Locale("*")) : languages;
    }

    @Override
    public MediaType getMediaType() {
        String text = all.getFirst("Content-Type");
        if (text == null) {
            return null;
        }
        try {
            return MediaType.valueOf(text);
        } catch (IllegalArgumentException wrong) {
            throw Rest.problem(400, "the header Content-Type cannot be read: " + wrong.getMessage());
        }
    }

    @Override
    public Locale getLanguage() {
        String text = all.getFirst("Content-Language");
        return text == null ? null : HeaderMap.locale(text);
    }

    @Override
    public Map<String, Cookie> getCookies() {
        Map<String, Cookie> cookies = new LinkedHashMap<>();
        List<String> lines = all.get("Cookie");
        for (String line : lines == null ? List.<String>of() : lines) {
            for (String part : line.split(";")) {
                if (part.indexOf('=') > 0) {
                    Cookie cookie = new Cookies.Sent().fromString(part);
                    cookies.putIfAbsent(cookie.getName(), cookie);
                }
            }
        }
        return cookies;
    }

    @Override
    public Date getDate() {
        String text = all.getFirst("Date");
        long date = text == null ? -1 : virga.servlet.Dates.read(text);
        return date < 0 ? null : new Date(date);
    }

    @Override
    public int getLength() {
        try {
            String text = all.getFirst("Content-Length");
            return text == null ? -1 : Integer.parseInt(text.trim());
        } catch (NumberFormatException wrong) {
            return -1;
        }
    }
}
