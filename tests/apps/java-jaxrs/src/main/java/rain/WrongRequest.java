package rain;

import jakarta.ws.rs.core.Response;
import jakarta.ws.rs.ext.ExceptionMapper;
import jakarta.ws.rs.ext.Provider;
import java.util.Map;

@Provider
public class WrongRequest implements ExceptionMapper<IllegalArgumentException> {
    @Override
    public Response toResponse(IllegalArgumentException wrong) {
        return Response.status(Response.Status.BAD_REQUEST).type("application/json").entity(Map.of("error", wrong.getMessage())).build();
    }
}
