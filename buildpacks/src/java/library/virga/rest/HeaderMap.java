package virga.rest;

import jakarta.ws.rs.core.AbstractMultivaluedMap;
import jakarta.ws.rs.core.MediaType;
import jakarta.ws.rs.core.NewCookie;
import java.util.ArrayList;
import java.util.Date;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Predicate;

/** Headers by their names in any case. */
final class HeaderMap<V> extends AbstractMultivaluedMap<String, V> {
    HeaderMap() {
        super(new TreeMap<String, List<V>>(String.CASE_INSENSITIVE_ORDER));
    }

    /** A header's value as it is sent. */
    static String text(Object value) {
        if (value instanceof Date date) {
            return virga.servlet.Dates.write(date.getTime());
        }
        if (value instanceof MediaType type) {
            return new MediaTypes().toString(type);
        }
        if (value instanceof NewCookie cookie) {
            return new Cookies.New().toString(cookie);
        }
        return value instanceof Locale locale ? language(locale) : String.valueOf(value);
    }

    static String language(Locale locale) {
        return locale.getCountry().isEmpty() ? locale.getLanguage() : locale.getLanguage() + "-" + locale.getCountry();
    }

    static Locale locale(String text) {
        String[] parts = text.trim().split("[-_]");
        return new Locale(parts[0], parts.length > 1 ? parts[1] : "");
    }

    /** The values of one header with commas between them, or null. */
    String joined(String name) {
        List<V> values = get(name);
        return values == null ? null : joined(values);
    }

    static String joined(List<?> values) {
        StringBuilder out = new StringBuilder();
        for (Object value : values) {
            out.append(out.length() == 0 ? "" : ",").append(text(value));
        }
        return out.toString();
    }

    /** All values as texts. */
    HeaderMap<String> texts() {
        HeaderMap<String> all = new HeaderMap<>();
        for (Map.Entry<String, List<V>> header : entrySet()) {
            List<String> values = new ArrayList<>();
            for (V value : header.getValue()) {
                values.add(text(value));
            }
            all.put(header.getKey(), values);
        }
        return all;
    }

    /** Whether one of the values between these separators is wanted. */
    boolean contains(String name, String separator, Predicate<String> wanted) {
        String joined = joined(name);
        if (joined != null) {
            for (String value : separator.isEmpty() ? new String[] { joined } : joined.split(separator)) {
                if (wanted.test(value.trim())) {
                    return true;
                }
            }
        }
        return false;
    }
}
