package virga.rest;

import jakarta.ws.rs.core.CacheControl;
import jakarta.ws.rs.ext.RuntimeDelegate.HeaderDelegate;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** What Cache-Control says. */
final class CacheControls implements HeaderDelegate<CacheControl> {
    @Override
    public CacheControl fromString(String text) {
        CacheControl control = new CacheControl();
        control.setNoTransform(false);
        for (String part : MediaTypes.split(text, ',')) {
            int equals = part.indexOf('=');
            String name = (equals < 0 ? part : part.substring(0, equals)).trim().toLowerCase();
            String value = equals < 0 ? "" : MediaTypes.unquoted(part.substring(equals + 1).trim());
            switch (name) {
                case "" -> { }
                case "private" -> control.setPrivate(true);
                case "no-cache" -> control.setNoCache(true);
                case "no-store" -> control.setNoStore(true);
                case "no-transform" -> control.setNoTransform(true);
                case "must-revalidate" -> control.setMustRevalidate(true);
                case "proxy-revalidate" -> control.setProxyRevalidate(true);
                case "max-age" -> control.setMaxAge(Integer.parseInt(value));
                case "s-maxage" -> control.setSMaxAge(Integer.parseInt(value));
                default -> control.getCacheExtension().put(name, value);
            }
        }
        return control;
    }

    @Override
    public String toString(CacheControl control) {
        List<String> parts = new ArrayList<>();
        add(parts, control.isPrivate(), "private", control.isPrivate() ? control.getPrivateFields() : List.of());
        add(parts, control.isNoCache(), "no-cache", control.isNoCache() ? control.getNoCacheFields() : List.of());
        add(parts, control.isNoStore(), "no-store", List.of());
        add(parts, control.isNoTransform(), "no-transform", List.of());
        add(parts, control.isMustRevalidate(), "must-revalidate", List.of());
        add(parts, control.isProxyRevalidate(), "proxy-revalidate", List.of());
        add(parts, control.getMaxAge() >= 0, "max-age=" + control.getMaxAge(), List.of());
        add(parts, control.getSMaxAge() >= 0, "s-maxage=" + control.getSMaxAge(), List.of());
        for (Map.Entry<String, String> other : control.getCacheExtension().entrySet()) {
            boolean isBare = other.getValue() == null || other.getValue().isEmpty();
            parts.add(isBare ? other.getKey() : other.getKey() + "=" + other.getValue());
        }
        return String.join(", ", parts);
    }

    private static void add(List<String> parts, boolean isSet, String text, List<String> fields) {
        if (isSet) {
            parts.add(fields.isEmpty() ? text : text + "=\"" + String.join(", ", fields) + "\"");
        }
    }
}
