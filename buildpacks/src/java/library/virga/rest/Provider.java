package virga.rest;

import jakarta.ws.rs.core.MediaType;
import java.util.Arrays;
import java.util.List;

/** A filter, mapper, reader or writer of the app. */
final class Provider<P> {
    private final P instance;
    private final Class<?> target;
    private final int priority;
    private final List<MediaType> types;
    private final List<String> bindings;

    /** `target` is what a mapper, reader or writer is for. */
    Provider(P instance, Class<?> target, int priority, String[] types, String[] bindings) {
        this.instance = instance;
        this.target = target;
        this.priority = priority;
        this.types = MediaTypes.list(Arrays.asList(types));
        this.bindings = Arrays.asList(bindings);
    }

    P instance() {
        return instance;
    }

    Class<?> target() {
        return target;
    }

    int priority() {
        return priority;
    }

    /** Whether it stands at this resource: one that is bound to names does where all of them are. */
    boolean isAt(Route route) {
        return bindings.isEmpty() || route != null && route.bindings.containsAll(bindings);
    }

    List<MediaType> types() {
        return types;
    }

    boolean takes(Class<?> type) {
        return target.isAssignableFrom(type);
    }

    boolean isFor(Class<?> type, MediaType media) {
        boolean fits = types.isEmpty();
        for (MediaType one : types) {
            fits |= one.isCompatible(media);
        }
        return fits && takes(type);
    }
}
