package com.sun.net.httpserver;

/** Who the request comes from, as far as a filter of the app found out. */
public class HttpPrincipal {
    private final String name;
    private final String realm;

    public HttpPrincipal(String username, String realm) {
        this.name = username;
        this.realm = realm;
    }

    public String getName() {
        return realm + ":" + name;
    }

    public String getUsername() {
        return name;
    }

    public String getRealm() {
        return realm;
    }
}
