package com.sun.net.httpserver;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.URISyntaxException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Executor;
import virga.Host;
import virga.Request;

/** The JDK's small HTTP server. The platform accepts the connections; this finds the handler. */
public class HttpServer {
    private final List<HttpContext> contexts = new ArrayList<>();
    private InetSocketAddress address;
    private Executor executor;

    protected HttpServer() {
    }

    public static HttpServer create() throws IOException {
        return new HttpServer();
    }

    public static HttpServer create(InetSocketAddress address, int backlog) throws IOException {
        HttpServer server = new HttpServer();
        server.bind(address, backlog);
        return server;
    }

    public static HttpServer create(InetSocketAddress address, int backlog, String path, HttpHandler handler, Filter... filters)
        throws IOException {
        HttpServer server = create(address, backlog);
        HttpContext context = server.createContext(path, handler);
        for (Filter filter : filters) {
            context.getFilters().add(filter);
        }
        return server;
    }

    public void bind(InetSocketAddress bound, int backlog) throws IOException {
        if (bound == null) {
            throw new NullPointerException("null address");
        }
        if (address != null) {
            throw new IOException("already bound");
        }
        address = bound;
    }

    public void start() {
        if (address == null) {
            throw new IllegalStateException("server is not bound");
        }
        Host.listen(this::serve);
    }

    public void stop(int delay) {
        Host.listen(null);
    }

    public void setExecutor(Executor given) {
        executor = given;
    }

    public Executor getExecutor() {
        return executor;
    }

    public InetSocketAddress getAddress() {
        return address;
    }

    public HttpContext createContext(String path) {
        return createContext(path, null);
    }

    public HttpContext createContext(String path, HttpHandler handler) {
        if (path.isEmpty() || path.charAt(0) != '/') {
            throw new IllegalArgumentException("Illegal value for path or protocol");
        }
        if (exactly(path) != null) {
            throw new IllegalArgumentException("cannot add context to list");
        }
        HttpContext context = new HttpContext(this, path, handler);
        contexts.add(context);
        return context;
    }

    public void removeContext(String path) {
        HttpContext context = exactly(path);
        if (context == null) {
            throw new IllegalArgumentException("context does not exist");
        }
        contexts.remove(context);
    }

    public void removeContext(HttpContext context) {
        contexts.remove(context);
    }

    private HttpContext exactly(String path) {
        for (HttpContext context : contexts) {
            if (context.getPath().equals(path)) {
                return context;
            }
        }
        return null;
    }

    /** The context whose path begins this one and is the longest to do so. */
    private HttpContext of(String path) {
        HttpContext best = null;
        for (HttpContext context : contexts) {
            if (path.startsWith(context.getPath()) && (best == null || context.getPath().length() > best.getPath().length())) {
                best = context;
            }
        }
        return best;
    }

    private void serve(Request request) throws IOException {
        URI uri;
        try {
            uri = new URI(request.target());
        } catch (URISyntaxException wrong) {
            refuse(request, 400, "<h1>400 Bad Request</h1>URISyntaxException thrown");
            return;
        }
        String path = uri.getPath() == null || uri.getPath().isEmpty() ? "/" : uri.getPath();
        HttpContext context = of(path);
        if (context == null || context.getHandler() == null) {
            refuse(request, 404, "<h1>404 Not Found</h1>No context found for request");
            return;
        }
        HttpExchange exchange = new HttpExchange(request, context, uri);
        Filter.Chain chain = new Filter.Chain(context.getFilters(), context.getHandler());
        if (executor == null) {
            chain.doFilter(exchange);
        } else {
            executor.execute(() -> handle(chain, exchange, request));
        }
    }

    private static void handle(Filter.Chain chain, HttpExchange exchange, Request request) {
        try {
            chain.doFilter(exchange);
        } catch (Throwable thrown) {
            System.err.print("Exception while answering " + request.method() + " " + request.target() + ": ");
            thrown.printStackTrace();
            request.fail();
        }
    }

    private static void refuse(Request request, int status, String text) throws IOException {
        byte[] body = text.getBytes();
        request.addHeader("Content-type", "text/html");
        request.addHeader("Content-length", Integer.toString(body.length));
        request.begin(status);
        request.write(body, 0, body.length);
        request.end();
    }
}
