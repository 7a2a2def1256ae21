package virga;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;

/** The environment of the running instance; what System.getenv answers from. */
public final class Environment {
    private static Map<String, String> all;

    private Environment() {
    }

    public static String get(String name) {
        return getAll().get(name);
    }

    public static Map<String, String> getAll() {
        if (all == null) {
            Map<String, String> read = new LinkedHashMap<>();
            for (String entry : Native.environment()) {
                int equals = entry.indexOf('=');
                if (equals > 0) {
                    read.put(entry.substring(0, equals), entry.substring(equals + 1));
                }
            }
            all = Collections.unmodifiableMap(read);
        }
        return all;
    }
}
