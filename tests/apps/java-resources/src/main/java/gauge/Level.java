package gauge;

/** A level with its unit, as `12cm`. */
public class Level {
    private final int value;

    Level(int value) {
        this.value = value;
    }

    public static Level fromString(String text) {
        if (!text.endsWith("cm")) {
            throw new IllegalArgumentException("no unit");
        }
        return new Level(Integer.parseInt(text.substring(0, text.length() - 2)));
    }

    int centimetres() {
        return value;
    }

    @Override
    public String toString() {
        return value + "cm";
    }
}
