package gauge;

import jakarta.ws.rs.WebApplicationException;
import jakarta.ws.rs.core.Context;
import jakarta.ws.rs.core.HttpHeaders;
import jakarta.ws.rs.core.Response;
import jakarta.ws.rs.ext.ExceptionMapper;
import jakarta.ws.rs.ext.Provider;

@Provider
public class Mapper implements ExceptionMapper<RuntimeException> {
    @Context
    HttpHeaders headers;

    @Override
    public Response toResponse(RuntimeException thrown) {
        if (thrown instanceof WebApplicationException web) {
            return Response.fromResponse(web.getResponse()).type("text/plain").entity("mapped " + web.getResponse().getStatus()).build();
        }
        return Response.status(418).type("text/plain").entity("mapped " + thrown.getMessage() + " " + headers.getHeaderString("X-Mark")).build();
    }
}
