package virga;

import java.util.Collections;
import java.util.Enumeration;
import java.util.Locale;
import java.util.ResourceBundle;

/** In the place of the texts of Jakarta's interfaces, which are resources that no program here has: each is its own name. */
public final class Texts extends ResourceBundle {
    private Texts() {
    }

    public static ResourceBundle of(String name) {
        return name.startsWith("jakarta.") ? new Texts() : ResourceBundle.getBundle(name, Locale.getDefault());
    }

    @Override
    protected Object handleGetObject(String key) {
        return key;
    }

    @Override
    public Enumeration<String> getKeys() {
        return Collections.emptyEnumeration();
    }
}
