package gauge;

import jakarta.ws.rs.BeanParam;
import jakarta.ws.rs.Consumes;
import jakarta.ws.rs.CookieParam;
import jakarta.ws.rs.DefaultValue;
import jakarta.ws.rs.FormParam;
import jakarta.ws.rs.GET;
import jakarta.ws.rs.HeaderParam;
import jakarta.ws.rs.POST;
import jakarta.ws.rs.PUT;
import jakarta.ws.rs.Path;
import jakarta.ws.rs.PathParam;
import jakarta.ws.rs.Produces;
import jakarta.ws.rs.QueryParam;
import jakarta.ws.rs.core.Context;
import jakarta.ws.rs.core.MultivaluedMap;
import jakarta.ws.rs.core.SecurityContext;
import jakarta.ws.rs.core.UriBuilder;
import jakarta.ws.rs.core.UriInfo;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;

/** What a request can be asked for. */
@Path("ask")
@Produces("text/plain")
public class Asking {
    @QueryParam("q")
    String field;

    static class Page {
        @QueryParam("page")
        @DefaultValue("1")
        private int number;
        private String order;

        @QueryParam("order")
        public void setOrder(String order) {
            this.order = order;
        }
    }

    @GET
    @Path("all/{number}/{rest: .+}")
    public String all(@PathParam("number") int number, @PathParam("rest") String rest, @QueryParam("kind") List<Station.Kind> kinds,
        @QueryParam("level") Level level, @CookieParam("crumb") String crumb, @HeaderParam("X-Long") @DefaultValue("5") Long given,
        @QueryParam("maybe") Optional<Integer> maybe, @QueryParam("id") UUID id) {
        return number + " " + rest + " " + kinds + " " + level + " " + crumb + " " + given + " " + maybe.orElse(0) + " " + id + " " + field;
    }

    @GET
    @Path("page")
    public String page(@BeanParam Page page) {
        return page.number + " " + page.order;
    }

    @POST
    @Path("form")
    @Consumes("application/x-www-form-urlencoded")
    public String form(@FormParam("x") String one, @FormParam("y") Set<Integer> numbers, MultivaluedMap<String, String> all) {
        return one + " " + numbers + " " + all;
    }

    @POST
    @Path("plus")
    public int plus(int number) {
        return number + 1;
    }

    @PUT
    @Path("level")
    @Consumes("text/level")
    @Produces("text/csv")
    public Level level(Level level) {
        return level;
    }

    @GET
    @Path("secret")
    @Guarded
    public String secret(@Context SecurityContext security) {
        return security.getUserPrincipal().getName() + " " + security.isUserInRole("me");
    }

    @GET
    @Path("uri")
    public String uri(@Context UriInfo uri) {
        return uri.getPath() + " " + uri.getRequestUri().getRawQuery() + " "
            + UriBuilder.fromResource(Stations.class).path("{x}").queryParam("z", "a b&c").build("ä/b");
    }
}
