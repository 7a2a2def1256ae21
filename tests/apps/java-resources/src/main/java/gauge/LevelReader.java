package gauge;

import jakarta.ws.rs.Consumes;
import jakarta.ws.rs.core.MediaType;
import jakarta.ws.rs.core.MultivaluedMap;
import jakarta.ws.rs.ext.MessageBodyReader;
import jakarta.ws.rs.ext.Provider;
import java.io.IOException;
import java.io.InputStream;
import java.lang.annotation.Annotation;
import java.lang.reflect.Type;
import java.nio.charset.StandardCharsets;

@Provider
@Consumes("text/level")
public class LevelReader implements MessageBodyReader<Level> {
    @Override
    public boolean isReadable(Class<?> type, Type generic, Annotation[] annotations, MediaType media) {
        return type == Level.class;
    }

    @Override
    public Level readFrom(Class<Level> type, Type generic, Annotation[] annotations, MediaType media, MultivaluedMap<String, String> headers,
        InputStream in) throws IOException {
        return Level.fromString(new String(in.readAllBytes(), StandardCharsets.UTF_8).trim());
    }
}
