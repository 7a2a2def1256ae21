package gauge;

import jakarta.ws.rs.DELETE;
import jakarta.ws.rs.ForbiddenException;
import jakarta.ws.rs.GET;
import jakarta.ws.rs.Path;
import jakarta.ws.rs.PathParam;
import jakarta.ws.rs.Produces;
import jakarta.ws.rs.WebApplicationException;
import jakarta.ws.rs.core.CacheControl;
import jakarta.ws.rs.core.Context;
import jakarta.ws.rs.core.EntityTag;
import jakarta.ws.rs.core.GenericEntity;
import jakarta.ws.rs.core.NewCookie;
import jakarta.ws.rs.core.Request;
import jakarta.ws.rs.core.Response;
import java.io.ByteArrayInputStream;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.Date;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** What a resource can answer with. */
@Path("answer")
public class Answering {
    record Pair(String left, long right) {
    }

    /** A resource that another one finds. */
    public static class Part {
        private final String id;

        Part(String id) {
            this.id = id;
        }

        @GET
        public String get() {
            return "part " + id;
        }

        @DELETE
        @Path("inner/{name}")
        public String delete(@PathParam("name") String name) {
            return "no " + name + " of " + id;
        }
    }

    @Path("parts/{id}")
    public Part part(@PathParam("id") String id) {
        return new Part(id);
    }

    @GET
    @Path("both")
    @Produces("application/json")
    public Pair json() {
        return new Pair("a", 1L << 40);
    }

    @GET
    @Path("both")
    @Produces("text/plain")
    public String text() {
        return "plain";
    }

    @GET
    @Path("map")
    @Produces("application/json")
    public Map<String, Object> map() {
        Map<String, Object> map = new LinkedHashMap<>();
        map.put("half", 0.5);
        map.put("none", null);
        map.put("list", new Object[] { 1, "x\n", true });
        map.put("pair", new Pair("\u0001", -2));
        map.put("date", new Date(86_400_000L * 365 + 5));
        return map;
    }

    @GET
    @Path("whole")
    @Produces("application/json")
    public Response whole() {
        return Response.ok(new GenericEntity<List<Pair>>(List.of(new Pair("b", 1))) { }).lastModified(new Date(0)).tag("t1")
            .cacheControl(CacheControl.valueOf("max-age=60")).cookie(new NewCookie.Builder("k").value("v").path("/").httpOnly(true).build()).build();
    }

    @GET
    @Path("tag")
    public Response tag(@Context Request request) {
        EntityTag tag = new EntityTag("abc");
        Response.ResponseBuilder unchanged = request.evaluatePreconditions(tag);
        return unchanged == null ? Response.ok("fresh").tag(tag).build() : unchanged.build();
    }

    @GET
    @Path("stream")
    @Produces("text/plain")
    public InputStream stream() {
        return new ByteArrayInputStream("streamed".getBytes(StandardCharsets.UTF_8));
    }

    @GET
    @Path("nothing")
    public void nothing() {
    }

    @GET
    @Path("throw/{what}")
    public String thrown(@PathParam("what") String what) {
        switch (what) {
            case "state":
                throw new IllegalStateException("bad");
            case "forbidden":
                throw new ForbiddenException("no");
            case "conflict":
                throw new WebApplicationException(Response.status(Response.Status.CONFLICT).entity("conflict").build());
            default:
                throw new Error("worst");
        }
    }
}
