package com.sun.net.httpserver;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetSocketAddress;
import java.net.URI;
import virga.Request;

/** A request and the answer to it. */
public class HttpExchange implements AutoCloseable {
    private final Request request;
    private final HttpContext context;
    private final URI uri;
    private final Headers requestHeaders = new Headers();
    private final Headers responseHeaders = new Headers();
    private InputStream input;
    private OutputStream output;
    private HttpPrincipal principal;
    private int code = -1;

    HttpExchange(Request request, HttpContext context, URI uri) {
        this.request = request;
        this.context = context;
        this.uri = uri;
        for (int i = 0; i < request.headerCount(); i++) {
            requestHeaders.add(request.headerName(i), request.headerValue(i));
        }
        if (!requestHeaders.containsKey("Host") && !request.authority().isEmpty()) {
            requestHeaders.set("Host", request.authority());
        }
        input = request.body();
    }

    public Headers getRequestHeaders() {
        return requestHeaders;
    }

    public Headers getResponseHeaders() {
        return responseHeaders;
    }

    public URI getRequestURI() {
        return uri;
    }

    public String getRequestMethod() {
        return request.method();
    }

    public HttpContext getHttpContext() {
        return context;
    }

    public InputStream getRequestBody() {
        return input;
    }

    /** Where the body of the answer goes, after the headers were sent. */
    public OutputStream getResponseBody() {
        if (output == null) {
            output = request.output();
        }
        return output;
    }

    /** Sends the headers: a length above 0 is the body's, 0 a body of any length, -1 no body. */
    public void sendResponseHeaders(int status, long length) throws IOException {
        if (code >= 0) {
            throw new IOException("headers already sent");
        }
        code = status;
        for (var header : responseHeaders.entrySet()) {
            if (header.getKey().equals("Content-length") && !request.method().equals("HEAD")) {
                continue;
            }
            for (String value : header.getValue()) {
                request.addHeader(header.getKey(), value == null ? "" : value);
            }
        }
        boolean bodyless = status == 204 || status == 304 || status < 200;
        if (length > 0 && !request.method().equals("HEAD")) {
            request.addHeader("Content-length", Long.toString(length));
        } else if (length < 0 && !bodyless && !request.method().equals("HEAD")) {
            request.addHeader("Content-length", "0");
        }
        request.begin(status);
        if (length < 0) {
            request.end();
        }
    }

    public int getResponseCode() {
        return code;
    }

    public InetSocketAddress getRemoteAddress() {
        String forwarded = request.header("x-forwarded-for");
        String first = forwarded == null ? "127.0.0.1" : forwarded.split(",")[0].trim();
        return InetSocketAddress.createUnresolved(first, 0);
    }

    public InetSocketAddress getLocalAddress() {
        return context.getServer().getAddress();
    }

    public String getProtocol() {
        return "HTTP/1.1";
    }

    public Object getAttribute(String name) {
        return context.getAttributes().get(name);
    }

    public void setAttribute(String name, Object value) {
        context.getAttributes().put(name, value);
    }

    public void setStreams(InputStream in, OutputStream out) {
        input = in == null ? input : in;
        output = out == null ? output : out;
    }

    public HttpPrincipal getPrincipal() {
        return principal;
    }

    @Override
    public void close() {
        if (!request.isBegun()) {
            request.fail();
            return;
        }
        try {
            request.end();
        } catch (IOException gone) {
            // As of a socket: whoever closes has nothing more to say to a client that went.
        }
    }
}
