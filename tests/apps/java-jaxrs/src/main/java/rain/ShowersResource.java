package rain;

import jakarta.ws.rs.Consumes;
import jakarta.ws.rs.DELETE;
import jakarta.ws.rs.DefaultValue;
import jakarta.ws.rs.GET;
import jakarta.ws.rs.NotFoundException;
import jakarta.ws.rs.POST;
import jakarta.ws.rs.Path;
import jakarta.ws.rs.PathParam;
import jakarta.ws.rs.Produces;
import jakarta.ws.rs.QueryParam;
import jakarta.ws.rs.core.Context;
import jakarta.ws.rs.core.MediaType;
import jakarta.ws.rs.core.Response;
import jakarta.ws.rs.core.UriInfo;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** Showers as JSON, kept in this instance's memory. */
@Path("showers")
@Produces(MediaType.APPLICATION_JSON)
@Consumes(MediaType.APPLICATION_JSON)
public class ShowersResource {
    private static final Map<Long, Shower> ALL = new TreeMap<>();

    @GET
    public List<Shower> list(@QueryParam("place") String place, @QueryParam("most") @DefaultValue("100") int most) {
        List<Shower> found = new ArrayList<>();
        for (Shower one : ALL.values()) {
            if (found.size() < most && (place == null || one.place().equals(place))) {
                found.add(one);
            }
        }
        return found;
    }

    @POST
    public Response create(Shower given, @Context UriInfo uri) {
        if (given == null || given.place() == null) {
            throw new IllegalArgumentException("a shower needs a place");
        }
        Shower made = new Shower(ALL.size() + 1, given.place(), given.millimetres(), given.clouds());
        ALL.put(made.id(), made);
        return Response.created(uri.getAbsolutePathBuilder().path("{id}").build(made.id())).entity(made).build();
    }

    @GET
    @Path("{id: [0-9]+}")
    public Shower find(@PathParam("id") long id) {
        Shower found = ALL.get(id);
        if (found == null) {
            throw new NotFoundException();
        }
        return found;
    }

    @DELETE
    @Path("{id: [0-9]+}")
    public void delete(@PathParam("id") long id) {
        ALL.remove(id);
    }
}
