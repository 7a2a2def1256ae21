package com.sun.net.httpserver;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** A path of the server with what answers it. */
public class HttpContext {
    private final HttpServer server;
    private final String path;
    private final List<Filter> filters = new ArrayList<>();
    private final Map<String, Object> attributes = new HashMap<>();
    private HttpHandler handler;

    HttpContext(HttpServer server, String path, HttpHandler handler) {
        this.server = server;
        this.path = path;
        this.handler = handler;
    }

    public HttpHandler getHandler() {
        return handler;
    }

    public void setHandler(HttpHandler handler) {
        this.handler = handler;
    }

    public String getPath() {
        return path;
    }

    public HttpServer getServer() {
        return server;
    }

    public Map<String, Object> getAttributes() {
        return attributes;
    }

    public List<Filter> getFilters() {
        return filters;
    }
}
