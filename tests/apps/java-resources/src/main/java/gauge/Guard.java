package gauge;

import jakarta.ws.rs.container.ContainerRequestContext;
import jakarta.ws.rs.container.ContainerRequestFilter;
import jakarta.ws.rs.core.Response;
import jakarta.ws.rs.core.SecurityContext;
import jakarta.ws.rs.ext.Provider;
import java.security.Principal;

@Provider
@Guarded
public class Guard implements ContainerRequestFilter {
    @Override
    public void filter(ContainerRequestContext request) {
        String who = request.getHeaderString("X-User");
        if (who == null) {
            request.abortWith(Response.status(Response.Status.UNAUTHORIZED).header("WWW-Authenticate", "User").build());
            return;
        }
        request.setSecurityContext(new SecurityContext() {
            @Override
            public Principal getUserPrincipal() {
                return () -> who;
            }

            @Override
            public boolean isUserInRole(String role) {
                return role.equals(who);
            }

            @Override
            public boolean isSecure() {
                return false;
            }

            @Override
            public String getAuthenticationScheme() {
                return "User";
            }
        });
    }
}
