package virga.servlet;

import java.io.UnsupportedEncodingException;
import java.net.URLDecoder;
import java.util.LinkedHashMap;
import java.util.Map;

/** Names with their values, as a query or a form has them. */
public final class Parameters {
    private final Map<String, String[]> all = new LinkedHashMap<>();

    /** Adds what stands in `a=1&b=2`. */
    public void parse(String text, String charset) {
        int begin = 0;
        while (begin < text.length()) {
            int end = text.indexOf('&', begin);
            end = end < 0 ? text.length() : end;
            int equals = text.indexOf('=', begin);
            if (equals < 0 || equals > end) {
                equals = end;
            }
            if (end > begin) {
                add(decoded(text.substring(begin, equals), charset), equals < end ? decoded(text.substring(equals + 1, end), charset) : "");
            }
            begin = end + 1;
        }
    }

    /** What is not encoded rightly stands as it came. */
    private static String decoded(String text, String charset) {
        try {
            return URLDecoder.decode(text, charset);
        } catch (IllegalArgumentException | UnsupportedEncodingException wrong) {
            return text;
        }
    }

    void add(String name, String value) {
        String[] had = all.get(name);
        String[] values = new String[had == null ? 1 : had.length + 1];
        for (int i = 0; i + 1 < values.length; i++) {
            values[i] = had[i];
        }
        values[values.length - 1] = value;
        all.put(name, values);
    }

    /** All of them; the map is the caller's own. */
    public Map<String, String[]> map() {
        return all;
    }

    /** The values of this name, or null. */
    public String[] values(String name) {
        return all.get(name);
    }
}
