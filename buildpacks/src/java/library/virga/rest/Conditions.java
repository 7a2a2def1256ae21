package virga.rest;

import jakarta.ws.rs.core.EntityTag;
import jakarta.ws.rs.core.MediaType;
import jakarta.ws.rs.core.Request;
import jakarta.ws.rs.core.Response;
import jakarta.ws.rs.core.Response.ResponseBuilder;
import jakarta.ws.rs.core.Variant;
import java.util.Date;
import java.util.List;
import java.util.Locale;

/** What a request makes its answer depend on. */
final class Conditions implements Request {
    private final Call call;

    Conditions(Call call) {
        this.call = call;
    }

    @Override
    public String getMethod() {
        return call.method();
    }

    @Override
    public Variant selectVariant(List<Variant> variants) {
        if (variants == null || variants.isEmpty()) {
            throw new IllegalArgumentException("no variants were given");
        }
        Variant best = null;
        int bestRank = -1;
        for (Variant one : variants) {
            int rank = rank(one);
            if (rank > bestRank) {
                best = one;
                bestRank = rank;
            }
        }
        return best;
    }

    private int rank(Variant variant) {
        int rank = 0;
        if (variant.getMediaType() != null) {
            int wanted = -1;
            for (MediaType accepted : call.head().getAcceptableMediaTypes()) {
                if (wanted < 0 && accepted.isCompatible(variant.getMediaType())) {
                    wanted = MediaTypes.quality(accepted);
                }
            }
            if (wanted <= 0) {
                return -1;
            }
            rank += wanted * 10;
        }
        if (variant.getLanguage() != null) {
            int place = 0;
            boolean isFound = false;
            for (Locale accepted : call.head().getAcceptableLanguages()) {
                boolean isAny = accepted.getLanguage().equals("*");
                isFound |= isAny || accepted.getLanguage().equals(variant.getLanguage().getLanguage());
                place += isFound ? 0 : 1;
            }
            if (!isFound) {
                return -1;
            }
            rank += Math.max(0, 9 - place);
        }
        return rank;
    }

    @Override
    public ResponseBuilder evaluatePreconditions(EntityTag tag) {
        String match = call.head().getHeaderString("If-Match");
        if (match != null && !has(match, tag, false)) {
            return Response.status(Response.Status.PRECONDITION_FAILED);
        }
        String none = call.head().getHeaderString("If-None-Match");
        if (none == null || !has(none, tag, true)) {
            return null;
        }
        return isRead() ? Response.notModified(tag) : Response.status(Response.Status.PRECONDITION_FAILED).tag(tag);
    }

    private boolean isRead() {
        return call.method().equals("GET") || call.method().equals("HEAD");
    }

    private static boolean has(String header, EntityTag tag, boolean takesWeak) {
        for (String part : MediaTypes.split(header, ',')) {
            if (part.trim().equals("*")) {
                return true;
            }
            EntityTag one = EntityTag.valueOf(part);
            if (one.getValue().equals(tag.getValue()) && (takesWeak || !one.isWeak() && !tag.isWeak())) {
                return true;
            }
        }
        return false;
    }

    @Override
    public ResponseBuilder evaluatePreconditions(Date changed) {
        long seconds = changed.getTime() / 1000;
        long since = date("If-Modified-Since");
        if (since >= 0 && isRead() && seconds <= since / 1000) {
            return Response.notModified().lastModified(changed);
        }
        long unless = date("If-Unmodified-Since");
        return unless >= 0 && seconds > unless / 1000 ? Response.status(Response.Status.PRECONDITION_FAILED) : null;
    }

    private long date(String name) {
        String text = call.head().map().getFirst(name);
        return text == null ? -1 : virga.servlet.Dates.read(text);
    }

    @Override
    public ResponseBuilder evaluatePreconditions(Date changed, EntityTag tag) {
        ResponseBuilder by = evaluatePreconditions(tag);
        if (by != null) {
            return by.lastModified(changed);
        }
        // A date says less than a tag: where a tag was asked for, it is not looked at.
        boolean hasTag = call.head().getHeaderString("If-None-Match") != null || call.head().getHeaderString("If-Match") != null;
        return hasTag ? null : evaluatePreconditions(changed);
    }

    @Override
    public ResponseBuilder evaluatePreconditions() {
        return call.head().getHeaderString("If-Match") == null ? null : Response.status(Response.Status.PRECONDITION_FAILED);
    }
}
