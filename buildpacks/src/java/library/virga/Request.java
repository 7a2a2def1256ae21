package virga;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;

/** One request with its answer. */
public final class Request {
    private final String[] head;
    private final ByteArrayOutputStream headers = new ByteArrayOutputStream();
    private boolean begun;
    private boolean ended;

    Request(String[] head) {
        this.head = head;
    }

    public String method() {
        return head[0];
    }

    /** Path and query as they came. */
    public String target() {
        return head[1].isEmpty() ? "/" : head[1];
    }

    public String authority() {
        return head[2];
    }

    public int headerCount() {
        return (head.length - 3) / 2;
    }

    public String headerName(int index) {
        return head[3 + index * 2];
    }

    public String headerValue(int index) {
        return head[4 + index * 2];
    }

    /** The first header of this name in any case, or null. */
    public String header(String name) {
        for (int i = 0; i < headerCount(); i++) {
            if (headerName(i).equalsIgnoreCase(name)) {
                return headerValue(i);
            }
        }
        return null;
    }

    public boolean isBegun() {
        return begun;
    }

    public boolean isEnded() {
        return ended;
    }

    /** Adds a header of the answer; those of the connection are the platform's and left out. */
    public void addHeader(String name, String value) {
        switch (name.toLowerCase()) {
            case "connection", "host", "http2-settings", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade" -> { }
            default -> {
                if (name.indexOf('\0') >= 0 || value.indexOf('\0') >= 0) {
                    throw new IllegalArgumentException("a header of the answer has a zero byte: " + name);
                }
                text(name);
                text(value);
            }
        }
    }

    private void text(String text) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        headers.write(bytes, 0, bytes.length);
        headers.write(0);
    }

    /** Sends status and headers. */
    public void begin(int status) throws IOException {
        if (begun) {
            throw new IOException("headers already sent");
        }
        if (!Native.begin(status, headers.toByteArray())) {
            throw new IOException("the answer has a header that is not allowed");
        }
        begun = true;
    }

    public void write(byte[] bytes, int offset, int length) throws IOException {
        if (!begun || ended) {
            throw new IOException(ended ? "the answer has ended" : "headers not sent yet");
        }
        if (!Native.write(bytes, offset, length)) {
            throw new IOException("the client is gone");
        }
    }

    public void end() throws IOException {
        if (!ended) {
            ended = true;
            // The answer to HEAD has the length of a body that it does not have.
            if (!Native.end() && !method().equals("HEAD")) {
                throw new IOException("less was written than the Content-length says");
            }
        }
    }

    /** Answers 500 where nothing was sent, or lets the client see that the answer is not whole. */
    public void fail() {
        if (ended) {
            return;
        }
        if (begun) {
            ended = true;
            Native.abort();
            return;
        }
        try {
            headers.reset();
            addHeader("content-type", "text/plain; charset=utf-8");
            begin(500);
            byte[] body = "Internal Server Error\n".getBytes(StandardCharsets.UTF_8);
            write(body, 0, body.length);
            end();
        } catch (IOException gone) {
            ended = true;
        }
    }

    /** The request's body. */
    public InputStream body() {
        return new Body();
    }

    private static final class Body extends InputStream {
        private final byte[] one = new byte[1];

        @Override
        public int read() throws IOException {
            return read(one, 0, 1) < 0 ? -1 : one[0] & 0xFF;
        }

        @Override
        public int read(byte[] into, int offset, int length) throws IOException {
            if (offset < 0 || length < 0 || length > into.length - offset) {
                throw new IndexOutOfBoundsException();
            }
            if (length == 0) {
                return 0;
            }
            int got = Native.read(into, offset, length);
            if (got == -2) {
                throw new IOException("the client broke off");
            }
            return got;
        }
    }

    /** Writes to the answer; its close ends it. */
    public OutputStream output() {
        return new Output();
    }

    private final class Output extends OutputStream {
        private final byte[] one = new byte[1];

        @Override
        public void write(int value) throws IOException {
            one[0] = (byte) value;
            Request.this.write(one, 0, 1);
        }

        @Override
        public void write(byte[] from, int offset, int length) throws IOException {
            if (offset < 0 || length < 0 || length > from.length - offset) {
                throw new IndexOutOfBoundsException();
            }
            Request.this.write(from, offset, length);
        }

        @Override
        public void close() throws IOException {
            end();
        }
    }
}
