package virga.servlet;

import jakarta.servlet.http.Part;
import java.io.ByteArrayInputStream;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** One field or file of a form of several parts, in memory. */
final class Upload implements Part {
    private final Map<String, List<String>> headers = new TreeMap<>(String.CASE_INSENSITIVE_ORDER);
    private final byte[] body;
    private final int begin;
    private final int size;

    /** The lines of its head, and where in the request's body its own begins. */
    Upload(List<String> head, byte[] body, int begin, int size) {
        this.body = body;
        this.begin = begin;
        this.size = size;
        for (String line : head) {
            int colon = line.indexOf(':');
            if (colon > 0) {
                headers.computeIfAbsent(line.substring(0, colon).trim(), name -> new ArrayList<>()).add(line.substring(colon + 1).trim());
            }
        }
    }

    String text(String charset) throws java.io.UnsupportedEncodingException {
        return new String(body, begin, size, charset);
    }

    @Override
    public InputStream getInputStream() {
        return new ByteArrayInputStream(body, begin, size);
    }

    @Override
    public String getContentType() {
        return getHeader("Content-Type");
    }

    @Override
    public String getName() {
        return parameter(getHeader("Content-Disposition"), "name");
    }

    @Override
    public String getSubmittedFileName() {
        return parameter(getHeader("Content-Disposition"), "filename");
    }

    /** What stands in `form-data; name="a"`, or null. */
    static String parameter(String header, String wanted) {
        int at = header == null ? -1 : header.indexOf(';');
        while (at >= 0 && at < header.length()) {
            int equals = header.indexOf('=', at);
            if (equals < 0) {
                return null;
            }
            String name = header.substring(at + 1, equals).trim();
            StringBuilder value = new StringBuilder();
            int next = equals + 1;
            if (next < header.length() && header.charAt(next) == '"') {
                for (next++; next < header.length() && header.charAt(next) != '"'; next++) {
                    boolean isEscape = header.charAt(next) == '\\' && next + 1 < header.length() && header.charAt(next + 1) == '"';
                    next += isEscape ? 1 : 0;
                    value.append(header.charAt(next));
                }
                next = header.indexOf(';', next);
            } else {
                int end = header.indexOf(';', next);
                value.append(header.substring(next, end < 0 ? header.length() : end).trim());
                next = end;
            }
            if (name.equalsIgnoreCase(wanted)) {
                return value.toString();
            }
            at = next;
        }
        return null;
    }

    @Override
    public long getSize() {
        return size;
    }

    @Override
    public void write(String file) {
        throw Attributes.no("Part.write (files of the app cannot be written: read getInputStream)");
    }

    /** There is no file to delete. */
    @Override
    public void delete() {
    }

    @Override
    public String getHeader(String name) {
        List<String> values = headers.get(name);
        return values == null ? null : values.get(0);
    }

    @Override
    public Collection<String> getHeaders(String name) {
        return headers.getOrDefault(name, List.of());
    }

    @Override
    public Collection<String> getHeaderNames() {
        return headers.keySet();
    }
}
