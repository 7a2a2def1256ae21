package virga.servlet;

import jakarta.servlet.ServletOutputStream;
import jakarta.servlet.ServletResponse;
import jakarta.servlet.WriteListener;
import jakarta.servlet.http.Cookie;
import jakarta.servlet.http.HttpServletResponse;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStreamWriter;
import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import virga.Request;

/** The answer to one request. What fits into the buffer is sent whole, with its length. */
final class Answer implements HttpServletResponse {
    private final Request request;
    private final List<String> headers = new ArrayList<>();
    private final ByteArrayOutputStream buffer = new ByteArrayOutputStream();
    private int room = 8192;
    private int status = 200;
    private String type;
    private String charset;
    private Locale locale = Locale.US;
    private Output output;
    private PrintWriter writer;
    private boolean isStreamTaken;
    private boolean isFinishing;
    private boolean isOver;

    Answer(Request request) {
        this.request = request;
    }

    /** The answer inside of an app's wrappers. */
    static Answer of(ServletResponse response) {
        return (Answer) Container.unwrapped(response);
    }

    private final class Output extends ServletOutputStream {
        @Override
        public boolean isReady() {
            return true;
        }

        @Override
        public void setWriteListener(WriteListener listener) {
            throw new IllegalStateException("the answer is not asynchronous: write it in the thread of the request");
        }

        @Override
        public void write(int value) throws IOException {
            write(new byte[] { (byte) value }, 0, 1);
        }

        @Override
        public void write(byte[] bytes, int offset, int length) throws IOException {
            if (isOver) {
                return;
            }
            if (buffer.size() + length <= room) {
                buffer.write(bytes, offset, length);
                return;
            }
            send();
            request.write(bytes, offset, length);
        }

        @Override
        public void flush() throws IOException {
            if (!isOver) {
                send();
            }
        }

        @Override
        public void close() throws IOException {
            end();
        }
    }

    /** Sends the head if it is not out, and what was held back. */
    private void send() throws IOException {
        if (!request.isBegun()) {
            if (type != null) {
                request.addHeader("Content-Type", getContentType());
            }
            for (int i = 0; i < headers.size(); i += 2) {
                request.addHeader(headers.get(i), headers.get(i + 1));
            }
            request.begin(status);
        }
        byte[] held = buffer.toByteArray();
        buffer.reset();
        if (held.length > 0 && !request.method().equals("HEAD")) {
            request.write(held, 0, held.length);
        }
    }

    private void end() throws IOException {
        if (isOver) {
            return;
        }
        isOver = true;
        boolean bodyless = status == 204 || status == 304 || status < 200;
        if (!request.isBegun() && !bodyless && !containsHeader("Content-Length") && !request.method().equals("HEAD")) {
            setContentLength(buffer.size());
        }
        send();
        request.end();
    }

    /** Ends the answer, with what its writer still holds. */
    void finish() throws IOException {
        if (writer != null) {
            // What the writer holds is no reason to send the head without the length.
            isFinishing = true;
            writer.flush();
        }
        end();
    }

    @Override
    public ServletOutputStream getOutputStream() {
        if (writer != null) {
            throw new IllegalStateException("getWriter() has already been called for this response");
        }
        isStreamTaken = true;
        return stream();
    }

    private Output stream() {
        if (output == null) {
            output = new Output();
        }
        return output;
    }

    @Override
    public PrintWriter getWriter() throws IOException {
        if (isStreamTaken) {
            throw new IllegalStateException("getOutputStream() has already been called for this response");
        }
        if (writer == null) {
            charset = getCharacterEncoding();
            writer = new Writer(new OutputStreamWriter(new Held(), charset));
        }
        return writer;
    }

    /** The writer holds nothing back itself: what a servlet prints is counted by the buffer, and only its own flush sends it. */
    private final class Held extends java.io.OutputStream {
        @Override
        public void write(int value) throws IOException {
            stream().write(value);
        }

        @Override
        public void write(byte[] bytes, int offset, int length) throws IOException {
            stream().write(bytes, offset, length);
        }
    }

    private final class Writer extends PrintWriter {
        Writer(OutputStreamWriter out) {
            super(out);
        }

        @Override
        public void flush() {
            super.flush();
            try {
                if (!isFinishing) {
                    stream().flush();
                }
            } catch (IOException gone) {
                setError();
            }
        }

        @Override
        public void close() {
            try {
                super.flush();
                end();
            } catch (IOException gone) {
                setError();
            }
        }
    }

    @Override
    public String getCharacterEncoding() {
        return charset == null ? "ISO-8859-1" : charset;
    }

    @Override
    public void setCharacterEncoding(String encoding) {
        if (writer == null && !isCommitted()) {
            charset = encoding;
        }
    }

    @Override
    public String getContentType() {
        if (type == null) {
            return null;
        }
        return charset == null ? type : type + ";charset=" + charset;
    }

    @Override
    public void setContentType(String given) {
        if (isCommitted()) {
            return;
        }
        if (given == null) {
            type = null;
            return;
        }
        int at = given.toLowerCase().indexOf("charset=");
        if (at < 0) {
            type = given;
            return;
        }
        int semicolon = given.lastIndexOf(';', at);
        type = semicolon < 0 ? given : given.substring(0, semicolon).trim();
        if (writer == null) {
            charset = given.substring(at + "charset=".length()).replace("\"", "").trim();
        }
    }

    @Override
    public void setContentLength(int length) {
        setHeader("Content-Length", Integer.toString(length));
    }

    @Override
    public void setContentLengthLong(long length) {
        setHeader("Content-Length", Long.toString(length));
    }

    @Override
    public void setBufferSize(int size) {
        if (isCommitted() || buffer.size() > 0) {
            throw new IllegalStateException("something has been written already");
        }
        room = Math.max(room, size);
    }

    @Override
    public int getBufferSize() {
        return room;
    }

    @Override
    public void flushBuffer() throws IOException {
        if (writer != null) {
            writer.flush();
        } else if (!isOver) {
            send();
        }
    }

    @Override
    public void resetBuffer() {
        if (isCommitted()) {
            throw new IllegalStateException("the answer has begun");
        }
        buffer.reset();
    }

    @Override
    public boolean isCommitted() {
        return request.isBegun() || isOver;
    }

    @Override
    public void reset() {
        resetBuffer();
        headers.clear();
        status = 200;
        type = null;
        charset = null;
        writer = null;
        isStreamTaken = false;
    }

    @Override
    public void setLocale(Locale given) {
        locale = given;
        setHeader("Content-Language", given.getLanguage());
    }

    @Override
    public Locale getLocale() {
        return locale;
    }

    @Override
    public void addCookie(Cookie cookie) {
        StringBuilder text = new StringBuilder(cookie.getName()).append('=').append(cookie.getValue() == null ? "" : cookie.getValue());
        for (Map.Entry<String, String> attribute : cookie.getAttributes().entrySet()) {
            String name = attribute.getKey();
            String value = attribute.getValue();
            if (name.equalsIgnoreCase("Secure") || name.equalsIgnoreCase("HttpOnly")) {
                if (!"false".equalsIgnoreCase(value)) {
                    text.append("; ").append(name);
                }
            } else {
                text.append("; ").append(name).append('=').append(value);
            }
        }
        addHeader("Set-Cookie", text.toString());
    }

    /** The cookie of a session, in the place of one that this answer already has. */
    void setSession(Cookie cookie) {
        for (int i = headers.size() - 2; i >= 0; i -= 2) {
            if (headers.get(i).equals("Set-Cookie") && headers.get(i + 1).startsWith(cookie.getName() + "=")) {
                headers.remove(i + 1);
                headers.remove(i);
            }
        }
        addCookie(cookie);
    }

    @Override
    public boolean containsHeader(String name) {
        return getHeader(name) != null;
    }

    @Override
    public String encodeURL(String url) {
        return url;
    }

    @Override
    public String encodeRedirectURL(String url) {
        return url;
    }

    @Override
    public void sendError(int code) throws IOException {
        sendError(code, null);
    }

    @Override
    public void sendError(int code, String message) throws IOException {
        if (isCommitted()) {
            throw new IllegalStateException("the answer has begun: no error can be sent any more");
        }
        status = code;
        buffer.reset();
        setContentType("text/plain;charset=UTF-8");
        charset = "UTF-8";
        byte[] body = ((message == null ? "HTTP " + code : message) + "\n").getBytes(charset);
        room = Math.max(room, body.length);
        stream().write(body, 0, body.length);
        end();
    }

    @Override
    public void sendRedirect(String location, int code, boolean clear) throws IOException {
        if (isCommitted()) {
            throw new IllegalStateException("the answer has begun: it cannot be redirected any more");
        }
        if (clear) {
            buffer.reset();
        }
        status = code;
        setHeader("Location", location);
        end();
    }

    @Override
    public void setDateHeader(String name, long date) {
        setHeader(name, Dates.write(date));
    }

    @Override
    public void addDateHeader(String name, long date) {
        addHeader(name, Dates.write(date));
    }

    @Override
    public void setHeader(String name, String value) {
        if (request.isBegun()) {
            return;
        }
        if (name.equalsIgnoreCase("Content-Type")) {
            setContentType(value);
            return;
        }
        for (int i = headers.size() - 2; i >= 0; i -= 2) {
            if (headers.get(i).equalsIgnoreCase(name)) {
                headers.remove(i + 1);
                headers.remove(i);
            }
        }
        if (value != null) {
            headers.add(name);
            headers.add(value);
        }
    }

    @Override
    public void addHeader(String name, String value) {
        if (name.equalsIgnoreCase("Content-Type")) {
            setContentType(value);
        } else if (!isCommitted() && value != null) {
            headers.add(name);
            headers.add(value);
        }
    }

    @Override
    public void setIntHeader(String name, int value) {
        setHeader(name, Integer.toString(value));
    }

    @Override
    public void addIntHeader(String name, int value) {
        addHeader(name, Integer.toString(value));
    }

    @Override
    public void setStatus(int code) {
        if (!isCommitted()) {
            status = code;
        }
    }

    @Override
    public int getStatus() {
        return status;
    }

    @Override
    public String getHeader(String name) {
        if (name.equalsIgnoreCase("Content-Type")) {
            return getContentType();
        }
        for (int i = 0; i < headers.size(); i += 2) {
            if (headers.get(i).equalsIgnoreCase(name)) {
                return headers.get(i + 1);
            }
        }
        return null;
    }

    @Override
    public Collection<String> getHeaders(String name) {
        List<String> values = new ArrayList<>();
        for (int i = 0; i < headers.size(); i += 2) {
            if (headers.get(i).equalsIgnoreCase(name)) {
                values.add(headers.get(i + 1));
            }
        }
        return values;
    }

    @Override
    public Collection<String> getHeaderNames() {
        LinkedHashSet<String> names = new LinkedHashSet<>();
        for (int i = 0; i < headers.size(); i += 2) {
            names.add(headers.get(i));
        }
        return names;
    }
}
