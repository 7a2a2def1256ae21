package gauge;

import jakarta.ws.rs.ApplicationPath;
import jakarta.ws.rs.core.Application;
import java.util.Set;

/** Names what it is made of, so that {@link Unlisted} is not there. */
@ApplicationPath("/api/")
public class Gauges extends Application {
    @Override
    public Set<Class<?>> getClasses() {
        return Set.of(Asking.class, Answering.class, Stations.class, Mapper.class, Stamp.class, Guard.class, LevelReader.class, LevelWriter.class);
    }

    @Override
    public Set<Object> getSingletons() {
        return Set.of(new Counter(7));
    }
}
