package gauge;

import jakarta.ws.rs.Produces;
import jakarta.ws.rs.core.MediaType;
import jakarta.ws.rs.core.MultivaluedMap;
import jakarta.ws.rs.ext.MessageBodyWriter;
import jakarta.ws.rs.ext.Provider;
import java.io.IOException;
import java.io.OutputStream;
import java.lang.annotation.Annotation;
import java.lang.reflect.Type;
import java.nio.charset.StandardCharsets;

@Provider
@Produces("text/csv")
public class LevelWriter implements MessageBodyWriter<Level> {
    @Override
    public boolean isWriteable(Class<?> type, Type generic, Annotation[] annotations, MediaType media) {
        return type == Level.class;
    }

    @Override
    public void writeTo(Level level, Class<?> type, Type generic, Annotation[] annotations, MediaType media,
        MultivaluedMap<String, Object> headers, OutputStream out) throws IOException {
        headers.add("X-Unit", "cm");
        out.write((level.centimetres() + ";cm\n").getBytes(StandardCharsets.UTF_8));
    }
}
