package gauge;

import jakarta.ws.rs.Consumes;
import jakarta.ws.rs.POST;
import jakarta.ws.rs.Path;
import jakarta.ws.rs.Produces;
import java.util.List;

@Path("stations")
public class Stations extends Collected<Station> {
    @Override
    Station load(String id) {
        Station made = new Station();
        made.setName(id);
        made.setKind(Station.Kind.LAKE);
        return made;
    }

    @POST
    @Consumes("application/json")
    @Produces("application/json")
    public Station create(Station given) {
        return given;
    }

    @POST
    @Path("many")
    @Consumes("application/json")
    @Produces("text/plain")
    public String many(List<Station> given) {
        return given.size() + " " + given.get(0).getName();
    }
}
