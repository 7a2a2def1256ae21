package virga.rest;

import jakarta.ws.rs.core.SecurityContext;
import java.security.Principal;

/** Who asks, before a filter says so: nobody that is known. */
final class Identity implements SecurityContext {
    private final boolean isSecure;

    Identity(boolean isSecure) {
        this.isSecure = isSecure;
    }

    @Override
    public Principal getUserPrincipal() {
        return null;
    }

    @Override
    public boolean isUserInRole(String role) {
        return false;
    }

    @Override
    public boolean isSecure() {
        return isSecure;
    }

    @Override
    public String getAuthenticationScheme() {
        return null;
    }
}
