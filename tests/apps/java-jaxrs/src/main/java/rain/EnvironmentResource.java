package rain;

import jakarta.ws.rs.GET;
import jakarta.ws.rs.NotFoundException;
import jakarta.ws.rs.Path;
import jakarta.ws.rs.PathParam;
import jakarta.ws.rs.Produces;

@Path("env/{name}")
@Produces("text/plain")
public class EnvironmentResource {
    @GET
    public String value(@PathParam("name") String name) {
        String value = System.getenv(name);
        if (value == null) {
            throw new NotFoundException("not set");
        }
        return value;
    }
}
