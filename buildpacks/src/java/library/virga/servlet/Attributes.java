package virga.servlet;

import java.util.Collections;
import java.util.Enumeration;
import java.util.LinkedHashMap;
import java.util.Map;

/** What an app hangs on a request, a session or itself; and how it is told what is not there. */
abstract class Attributes {
    private final Map<String, Object> attributes = new LinkedHashMap<>();

    static UnsupportedOperationException no(String what) {
        return new UnsupportedOperationException(what + " is not there on this platform");
    }

    public Object getAttribute(String name) {
        return attributes.get(name);
    }

    public Enumeration<String> getAttributeNames() {
        return Collections.enumeration(new java.util.ArrayList<>(attributes.keySet()));
    }

    public void setAttribute(String name, Object value) {
        if (value == null) {
            attributes.remove(name);
        } else {
            attributes.put(name, value);
        }
    }

    public void removeAttribute(String name) {
        attributes.remove(name);
    }
}
