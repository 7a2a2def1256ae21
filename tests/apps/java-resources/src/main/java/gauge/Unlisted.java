package gauge;

import jakarta.ws.rs.GET;
import jakarta.ws.rs.Path;

@Path("unlisted")
public class Unlisted {
    @GET
    public String get() {
        return "here";
    }
}
