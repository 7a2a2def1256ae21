package virga.rest;

import jakarta.ws.rs.WebApplicationException;
import jakarta.ws.rs.core.MediaType;
import jakarta.ws.rs.core.Response;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.SortedSet;
import java.util.TreeSet;
import java.util.function.Function;

/** What a request gives for one parameter, and the way to the type that the resource wants. */
public final class Values {
    private final String kind;
    private final String name;
    private final List<String> given;
    private final int status;

    /** `status` is answered where a value is not of the wanted type. */
    Values(String kind, String name, List<String> given, String absent, int status) {
        this.kind = kind;
        this.name = name;
        this.given = given == null || given.isEmpty() ? absent == null ? List.of() : List.of(absent) : given;
        this.status = status;
    }

    /** The first as it came, or null. */
    public String text() {
        return given.isEmpty() ? null : given.get(0);
    }

    /** The first, or what stands for none. */
    public <T> T one(Function<String, T> reader, T none) {
        return given.isEmpty() ? none : read(reader, given.get(0));
    }

    public <T> List<T> list(Function<String, T> reader) {
        List<T> all = new ArrayList<>();
        for (String value : given) {
            all.add(read(reader, value));
        }
        return all;
    }

    public <T> Set<T> set(Function<String, T> reader) {
        return new LinkedHashSet<>(list(reader));
    }

    public <T> SortedSet<T> sorted(Function<String, T> reader) {
        return new TreeSet<>(list(reader));
    }

    private <T> T read(Function<String, T> reader, String value) {
        try {
            return reader.apply(value);
        } catch (WebApplicationException own) {
            throw own;
        } catch (RuntimeException wrong) {
            throw new WebApplicationException(wrong, Response.status(status).type(MediaType.TEXT_PLAIN_TYPE)
                .entity("the " + kind + (name.isEmpty() ? "" : " '" + name + "'") + " is not what is expected: " + value + "\n").build());
        }
    }

    /** A value that is one letter. */
    public static Character letter(String text) {
        if (text.length() != 1) {
            throw new IllegalArgumentException("not one letter");
        }
        return text.charAt(0);
    }

    /** What is not true is false, as Java reads it. */
    public static Boolean truth(String text) {
        return Boolean.valueOf(text);
    }
}
