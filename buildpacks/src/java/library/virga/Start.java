package virga;

/** Stands for the app's main class here; the build puts one in its place that calls it. */
public final class Start {
    private Start() {
    }

    /** Runs the class of this name, or the app's own main class where there is none. */
    public static void main(String name, String[] words) throws Throwable {
        throw new IllegalStateException("no main class");
    }
}
