package com.sun.net.httpserver;

import java.io.IOException;
import java.util.List;

/** Stands before a handler. */
public abstract class Filter {
    protected Filter() {
    }

    /** The filters that are left, and the handler behind them. */
    public static class Chain {
        private final List<Filter> filters;
        private final HttpHandler handler;
        private int next;

        public Chain(List<Filter> filters, HttpHandler handler) {
            this.filters = filters;
            this.handler = handler;
        }

        public void doFilter(HttpExchange exchange) throws IOException {
            if (next < filters.size()) {
                filters.get(next++).doFilter(exchange, this);
            } else {
                handler.handle(exchange);
            }
        }
    }

    public abstract void doFilter(HttpExchange exchange, Chain chain) throws IOException;

    public abstract String description();
}
