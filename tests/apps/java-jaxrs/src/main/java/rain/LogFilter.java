package rain;

import jakarta.ws.rs.container.ContainerRequestContext;
import jakarta.ws.rs.container.ContainerRequestFilter;
import jakarta.ws.rs.container.PreMatching;
import jakarta.ws.rs.ext.Provider;

@Provider
@PreMatching
public class LogFilter implements ContainerRequestFilter {
    @Override
    public void filter(ContainerRequestContext request) {
        System.out.println(request.getMethod() + " " + request.getUriInfo().getRequestUri().getPath());
    }
}
