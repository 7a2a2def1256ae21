package gauge;

import jakarta.ws.rs.GET;
import jakarta.ws.rs.Path;
import jakarta.ws.rs.PathParam;
import jakarta.ws.rs.Produces;
import java.util.List;

/** A base of resources: what it answers with, the class that is made from it says. */
abstract class Collected<T> {
    abstract T load(String id);

    @GET
    @Path("{id}")
    @Produces("application/json")
    public T one(@PathParam("id") String id) {
        return load(id);
    }

    @GET
    @Produces("application/json")
    public List<T> all() {
        return List.of(load("a"), load("b"));
    }
}
