package virga.rest;

import jakarta.ws.rs.core.MediaType;
import java.util.Arrays;
import java.util.List;

/** One method of a resource. */
final class Route {
    final String method;
    final Template template;
    final List<MediaType> consumes;
    final List<MediaType> produces;
    final List<String> bindings;
    final Rest.Handler handler;

    Route(String method, Template template, String[] consumes, String[] produces, String[] bindings, Rest.Handler handler) {
        this.method = method;
        this.template = template;
        this.consumes = MediaTypes.list(Arrays.asList(consumes));
        this.produces = MediaTypes.list(Arrays.asList(produces));
        this.bindings = Arrays.asList(bindings);
        this.handler = handler;
    }

    /** How well it takes a body of this type; -1 not at all. */
    int takes(MediaType given) {
        if (consumes.isEmpty() || given == null) {
            return 0;
        }
        int best = -1;
        for (MediaType one : consumes) {
            if (one.isCompatible(given)) {
                best = Math.max(best, 1 + MediaTypes.closeness(one));
            }
        }
        return best;
    }

    /** How much a client wants what it gives, which is more wanted the higher; -1 not at all. */
    int gives(List<MediaType> accepted) {
        if (produces.isEmpty()) {
            return 0;
        }
        int best = -1;
        for (MediaType wanted : accepted) {
            int quality = MediaTypes.quality(wanted);
            for (MediaType one : produces) {
                if (quality > 0 && one.isCompatible(wanted)) {
                    best = Math.max(best, quality * 10 + MediaTypes.closeness(wanted) * 3 + MediaTypes.closeness(one));
                }
            }
        }
        return best;
    }
}
