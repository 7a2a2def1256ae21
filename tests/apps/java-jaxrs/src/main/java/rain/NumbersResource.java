package rain;

import jakarta.ws.rs.GET;
import jakarta.ws.rs.Path;
import jakarta.ws.rs.Produces;
import java.security.SecureRandom;
import java.util.concurrent.atomic.AtomicInteger;

@Path("/")
@Produces("text/plain")
public class NumbersResource {
    private static final AtomicInteger COUNT = new AtomicInteger();
    private static final SecureRandom RANDOM = new SecureRandom();

    @GET
    @Path("random")
    public String random() {
        byte[] bytes = new byte[12];
        RANDOM.nextBytes(bytes);
        StringBuilder hex = new StringBuilder();
        for (byte one : bytes) {
            hex.append(String.format("%02x", one & 0xff));
        }
        return hex.toString();
    }

    @GET
    @Path("count")
    public int count() {
        return COUNT.incrementAndGet();
    }
}
