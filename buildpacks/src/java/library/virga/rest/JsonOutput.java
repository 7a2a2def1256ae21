package virga.rest;

import java.util.Arrays;
import java.util.Date;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;

/** Writes JSON. How the classes of an app are written is told to it by what is made while the app is built. */
public final class JsonOutput {
    /** Writes the members of one class. */
    public interface Writer<T> {
        void write(T it, JsonOutput out);
    }

    /** What is nested deeper holds itself. */
    private static final int MOST_DEPTH = 200;

    private final Map<Class<?>, Writer<?>> writers;
    private final StringBuilder out = new StringBuilder();
    private boolean isFirst = true;
    private int depth;

    private JsonOutput(Map<Class<?>, Writer<?>> writers) {
        this.writers = writers;
    }

    static String write(Object value, Map<Class<?>, Writer<?>> writers) {
        JsonOutput output = new JsonOutput(writers);
        output.value(value);
        return output.out.toString();
    }

    /** The writer of a class or of the nearest one it is made from, or null. */
    private static Writer<?> of(Class<?> type, Map<Class<?>, Writer<?>> writers) {
        for (Class<?> one = type; one != null; one = one.getSuperclass()) {
            Writer<?> found = writers.get(one);
            if (found != null) {
                return found;
            }
        }
        return null;
    }

    static boolean canWrite(Object value, Map<Class<?>, Writer<?>> writers) {
        return isPlain(value) || value instanceof Map || value instanceof Iterable || value instanceof Optional || value.getClass().isArray()
            || of(value.getClass(), writers) != null;
    }

    private static boolean isPlain(Object value) {
        return value instanceof CharSequence || value instanceof Number || value instanceof Boolean || value instanceof Character
            || value instanceof Enum || value instanceof UUID || value instanceof java.net.URI || value instanceof java.util.Locale
            || value instanceof Date;
    }

    /** One member of an object; nulls are left out. */
    public void member(String name, Object value) {
        Object given = value instanceof Optional<?> optional ? optional.orElse(null) : value;
        if (given == null) {
            return;
        }
        name(name);
        value(given);
    }

    private void name(String name) {
        out.append(isFirst ? "" : ",");
        quoted(name);
        out.append(':');
        isFirst = false;
    }

    private void value(Object value) {
        if (++depth > MOST_DEPTH) {
            throw new IllegalStateException("the answer is nested more than " + MOST_DEPTH + " deep: an object holds itself");
        }
        if (value == null) {
            out.append("null");
        } else if (value instanceof Optional<?> optional) {
            value(optional.orElse(null));
        } else if (isPlain(value)) {
            plain(value);
        } else if (value instanceof Map<?, ?> map) {
            map(map);
        } else if (value instanceof Iterable<?> items) {
            list(items);
        } else if (value instanceof Object[] items) {
            list(Arrays.asList(items));
        } else if (value.getClass().isArray()) {
            numbers(value);
        } else {
            object(value);
        }
        depth--;
        isFirst = false;
    }

    private void plain(Object value) {
        if (value instanceof Double || value instanceof Float) {
            double number = ((Number) value).doubleValue();
            if (Double.isNaN(number) || Double.isInfinite(number)) {
                throw new IllegalStateException("JSON has no number " + number);
            }
            out.append(value);
        } else if (value instanceof Number || value instanceof Boolean) {
            out.append(value);
        } else if (value instanceof Enum<?> one) {
            quoted(one.name());
        } else if (value instanceof Date date) {
            quoted(instant(date.getTime()));
        } else {
            quoted(value.toString());
        }
    }

    /** A moment as `2026-11-23T16:40:15.123Z`. */
    private static String instant(long milliseconds) {
        String[] parts = virga.servlet.Dates.write(milliseconds).split("[ ]");
        int month = "JanFebMarAprMayJunJulAugSepOctNovDec".indexOf(parts[2]) / 3 + 1;
        long rest = Math.floorMod(milliseconds, 1000L);
        String fraction = rest == 0 ? "" : "." + (rest < 100 ? "0" : "") + (rest < 10 ? "0" : "") + rest;
        return parts[3] + "-" + (month < 10 ? "0" : "") + month + "-" + parts[1] + "T" + parts[4] + fraction + "Z";
    }

    private void map(Map<?, ?> map) {
        out.append('{');
        isFirst = true;
        for (Map.Entry<?, ?> one : new LinkedHashMap<>(map).entrySet()) {
            name(String.valueOf(one.getKey()));
            value(one.getValue());
        }
        out.append('}');
    }

    private void list(Iterable<?> items) {
        out.append('[');
        String between = "";
        for (Iterator<?> all = items.iterator(); all.hasNext();) {
            out.append(between);
            value(all.next());
            between = ",";
        }
        out.append(']');
    }

    /** Reflection reads arrays of primitives rightly, and those alone. */
    private void numbers(Object array) {
        out.append('[');
        for (int i = 0; i < java.lang.reflect.Array.getLength(array); i++) {
            out.append(i == 0 ? "" : ",");
            value(java.lang.reflect.Array.get(array, i));
        }
        out.append(']');
    }

    @SuppressWarnings("unchecked")
    private void object(Object value) {
        Writer<Object> writer = (Writer<Object>) of(value.getClass(), writers);
        if (writer == null) {
            throw new IllegalStateException(value.getClass().getName() + " cannot be written as JSON: no signature and no code of a resource"
                + " names it; return it by its type, or put it into a Map");
        }
        out.append('{');
        isFirst = true;
        writer.write(value, this);
        out.append('}');
    }

    private void quoted(String text) {
        out.append('"');
        for (int i = 0; i < text.length(); i++) {
            char letter = text.charAt(i);
            switch (letter) {
                case '"' -> out.append("\\\"");
                case '\\' -> out.append("\\\\");
                case '\n' -> out.append("\\n");
                case '\r' -> out.append("\\r");
                case '\t' -> out.append("\\t");
                default -> {
                    if (letter < ' ' || letter == '\u2028' || letter == '\u2029') {
                        String hex = Integer.toHexString(letter);
                        out.append("\\u").append("0000".substring(hex.length())).append(hex);
                    } else {
                        out.append(letter);
                    }
                }
            }
        }
        out.append('"');
    }
}
