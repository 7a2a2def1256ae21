package gauge;

import jakarta.ws.rs.GET;
import jakarta.ws.rs.Path;
import jakarta.ws.rs.core.Context;
import jakarta.ws.rs.core.UriInfo;

@Path("counter")
public class Counter {
    @Context
    private UriInfo uri;
    private int next;

    public Counter() {
    }

    Counter(int first) {
        next = first;
    }

    @GET
    public String next() {
        return uri.getPath() + " " + next++;
    }
}
