package jakarta.ws.rs.ext;

import jakarta.ws.rs.core.Link;
import jakarta.ws.rs.core.Response;
import jakarta.ws.rs.core.UriBuilder;
import jakarta.ws.rs.core.Variant;

/** In the place of the class of the same name in the API, which looks for its implementation by reflection: here it is always ours. */
public abstract class RuntimeDelegate {
    private static RuntimeDelegate instance;

    protected RuntimeDelegate() {
    }

    public static RuntimeDelegate getInstance() {
        if (instance == null) {
            instance = new virga.rest.Delegate();
        }
        return instance;
    }

    public static void setInstance(RuntimeDelegate given) {
        instance = given;
    }

    public abstract UriBuilder createUriBuilder();

    public abstract Response.ResponseBuilder createResponseBuilder();

    public abstract Variant.VariantListBuilder createVariantListBuilder();

    public abstract Link.Builder createLinkBuilder();

    public abstract <T> HeaderDelegate<T> createHeaderDelegate(Class<T> type);

    /** A header's value as text, and back. */
    public interface HeaderDelegate<T> {
        T fromString(String text);

        String toString(T value);
    }
}
