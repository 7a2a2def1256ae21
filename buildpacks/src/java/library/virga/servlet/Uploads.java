package virga.servlet;

import jakarta.servlet.ServletException;
import jakarta.servlet.http.Part;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/** What a servlet takes of forms of several parts, and how they are read. */
final class Uploads {
    private static final int MOST_PARTS = 1000;
    private static final int MOST_HEAD = 16 * 1024;

    private final long mostOfOne;
    private final long mostOfAll;

    /** In bytes; below 0 for no limit but the app's memory. */
    Uploads(long mostOfOne, long mostOfAll) {
        this.mostOfOne = mostOfOne;
        this.mostOfAll = mostOfAll;
    }

    List<Part> read(String contentType, InputStream in) throws IOException, ServletException {
        String boundary = Upload.parameter(contentType, "boundary");
        if (contentType == null || !contentType.toLowerCase().startsWith("multipart/form-data") || boundary == null || boundary.isEmpty()) {
            throw new ServletException("the request is no form of several parts (multipart/form-data with a boundary)");
        }
        byte[] body = all(in);
        // A line end before the first boundary makes it like all others.
        byte[] between = ("\r\n--" + boundary).getBytes(StandardCharsets.ISO_8859_1);
        List<Part> parts = new ArrayList<>();
        int at = begins(body, between) ? between.length - 2 : after(body, find(body, between, 0), between);
        while (at + 2 <= body.length && !(body[at] == '-' && body[at + 1] == '-')) {
            int end = find(body, between, at);
            if (end < 0 || parts.size() == MOST_PARTS) {
                throw new IOException(end < 0 ? "the form has no end" : "the form has more than " + MOST_PARTS + " parts");
            }
            parts.add(part(body, at, end));
            at = end + between.length;
        }
        return parts;
    }

    private static boolean begins(byte[] body, byte[] between) {
        for (int i = 2; i < between.length; i++) {
            if (i - 2 >= body.length || body[i - 2] != between[i]) {
                return false;
            }
        }
        return true;
    }

    private static int after(byte[] body, int found, byte[] between) throws IOException {
        if (found < 0) {
            throw new IOException("the form does not have the boundary that its Content-Type names");
        }
        return found + between.length;
    }

    private Upload part(byte[] body, int begin, int end) throws IOException {
        List<String> head = new ArrayList<>();
        int at = find(body, new byte[] { '\r', '\n' }, begin) + 2;
        while (at >= 2 && at < end) {
            int line = find(body, new byte[] { '\r', '\n' }, at);
            if (line < 0 || line > end || line - begin > MOST_HEAD) {
                throw new IOException("a part of the form has a head that does not end");
            }
            String text = new String(body, at, line - at, StandardCharsets.UTF_8);
            at = line + 2;
            if (text.isEmpty()) {
                break;
            }
            head.add(text);
        }
        // An empty part has its boundary where its body would begin.
        int size = Math.max(0, end - at);
        Upload part = new Upload(head, body, Math.min(at, end), size);
        if (part.getName() == null) {
            throw new IOException("a part of the form has no name");
        }
        if (mostOfOne >= 0 && size > mostOfOne) {
            throw new IllegalStateException("the part '" + part.getName() + "' is larger than maxFileSize, " + mostOfOne + " bytes");
        }
        return part;
    }

    private byte[] all(InputStream in) throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        byte[] some = new byte[16 * 1024];
        for (int got = in.read(some, 0, some.length); got >= 0; got = in.read(some, 0, some.length)) {
            if (mostOfAll >= 0 && out.size() + (long) got > mostOfAll) {
                throw new IllegalStateException("the form is larger than maxRequestSize, " + mostOfAll + " bytes");
            }
            out.write(some, 0, got);
        }
        return out.toByteArray();
    }

    private static int find(byte[] body, byte[] wanted, int from) {
        for (int i = from; i + wanted.length <= body.length; i++) {
            int same = 0;
            while (same < wanted.length && body[i + same] == wanted[same]) {
                same++;
            }
            if (same == wanted.length) {
                return i;
            }
        }
        return -1;
    }
}
