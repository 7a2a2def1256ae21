package virga.rest;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * What JSON that was read is as the types of an app. How a class of the app is put together is written while the app is built; each
 * reader gets a value as {@link JsonText} gives it, and where in the body it stands, for the words of a refusal.
 */
public final class Json {
    /** Makes a value of one type. */
    public interface Reader<T> {
        T read(Object json, String at);
    }

    public static final Reader<Object> ANY = (json, at) -> json;
    public static final Reader<String> TEXT = Json::text;
    public static final Reader<Boolean> TRUTH = Json::truth;
    public static final Reader<Byte> BYTE = (json, at) -> (byte) between(json, at, Byte.MIN_VALUE, Byte.MAX_VALUE);
    public static final Reader<Short> SHORT = (json, at) -> (short) between(json, at, Short.MIN_VALUE, Short.MAX_VALUE);
    public static final Reader<Integer> INT = (json, at) -> (int) between(json, at, Integer.MIN_VALUE, Integer.MAX_VALUE);
    public static final Reader<Long> LONG = (json, at) -> between(json, at, Long.MIN_VALUE, Long.MAX_VALUE);
    public static final Reader<Float> FLOAT = (json, at) -> number(json, at).floatValue();
    public static final Reader<Double> DOUBLE = (json, at) -> number(json, at).doubleValue();
    public static final Reader<BigDecimal> DECIMAL = Json::number;
    public static final Reader<BigInteger> INTEGER = Json::integer;
    public static final Reader<Number> NUMBER = Json::number;
    public static final Reader<Character> LETTER = Json::letter;

    /** More digits than this before the point are no number that anyone means. */
    private static final int MOST_DIGITS = 1000;

    private Json() {
    }

    static IllegalArgumentException wrong(String at, String expected) {
        return new IllegalArgumentException((at.isEmpty() ? "the body" : at) + " must be " + expected);
    }

    private static String text(Object json, String at) {
        if (json instanceof String text) {
            return text;
        }
        if (json instanceof BigDecimal || json instanceof Boolean) {
            return json.toString();
        }
        throw wrong(at, "a text");
    }

    private static Boolean truth(Object json, String at) {
        if (json instanceof Boolean truth) {
            return truth;
        }
        throw wrong(at, "true or false");
    }

    private static BigDecimal number(Object json, String at) {
        if (json instanceof BigDecimal number) {
            return number;
        }
        throw wrong(at, "a number");
    }

    private static BigInteger integer(Object json, String at) {
        BigDecimal number = number(json, at);
        if ((long) number.precision() - number.scale() > MOST_DIGITS || number.scale() > MOST_DIGITS) {
            throw wrong(at, "a number of fewer digits");
        }
        try {
            return number.toBigIntegerExact();
        } catch (ArithmeticException fraction) {
            throw wrong(at, "a whole number");
        }
    }

    private static long between(Object json, String at, long least, long most) {
        BigInteger whole = integer(json, at);
        if (whole.bitLength() > 63 || whole.longValue() < least || whole.longValue() > most) {
            throw wrong(at, "a whole number from " + least + " to " + most);
        }
        return whole.longValue();
    }

    private static Character letter(Object json, String at) {
        if (json instanceof String text && text.length() == 1) {
            return text.charAt(0);
        }
        throw wrong(at, "one letter");
    }

    /** A value, or what stands for null. */
    public static <T> T or(Reader<T> reader, Object json, String at, T none) {
        return json == null ? none : reader.read(json, at);
    }

    public static <T> Reader<List<T>> list(Reader<T> items) {
        return (json, at) -> {
            if (!(json instanceof List<?> given)) {
                throw wrong(at, "a list");
            }
            List<T> all = new ArrayList<>(given.size());
            for (int i = 0; i < given.size(); i++) {
                all.add(or(items, given.get(i), at + "[" + i + "]", null));
            }
            return all;
        };
    }

    public static <T> Reader<Set<T>> set(Reader<T> items) {
        Reader<List<T>> list = list(items);
        return (json, at) -> new LinkedHashSet<>(list.read(json, at));
    }

    /** `like` is an empty array of the wanted type. */
    public static <T> Reader<T[]> array(Reader<T> items, T[] like) {
        Reader<List<T>> list = list(items);
        return (json, at) -> list.read(json, at).toArray(like);
    }

    public static <T> Reader<Optional<T>> optional(Reader<T> inner) {
        return (json, at) -> Optional.of(inner.read(json, at));
    }

    public static <T> Reader<Map<String, T>> map(Reader<T> values) {
        return (json, at) -> {
            Map<String, T> all = new LinkedHashMap<>();
            for (Map.Entry<String, Object> one : object(json, at).entrySet()) {
                all.put(one.getKey(), or(values, one.getValue(), at + "." + one.getKey(), null));
            }
            return all;
        };
    }

    /** Names with their values. */
    @SuppressWarnings("unchecked")
    public static Map<String, Object> object(Object json, String at) {
        if (json instanceof Map<?, ?> map) {
            return (Map<String, Object>) map;
        }
        throw wrong(at, "an object");
    }

    public static <E extends Enum<E>> Reader<E> one(E[] all) {
        return (json, at) -> {
            for (E one : all) {
                if (one.name().equals(json)) {
                    return one;
                }
            }
            List<String> names = new ArrayList<>();
            for (E one : all) {
                names.add(one.name());
            }
            throw wrong(at, "one of " + String.join(", ", names));
        };
    }

    /** A type that is written as a text. */
    public static <T> Reader<T> from(java.util.function.Function<String, T> reader, String expected) {
        return (json, at) -> {
            try {
                return reader.apply(text(json, at));
            } catch (RuntimeException wrong) {
                throw wrong(at, expected);
            }
        };
    }
}
