package virga.rest;

import jakarta.ws.rs.core.MediaType;
import jakarta.ws.rs.ext.RuntimeDelegate.HeaderDelegate;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Media types as headers write them, and which of two is wanted more. */
final class MediaTypes implements HeaderDelegate<MediaType> {
    @Override
    public MediaType fromString(String text) {
        if (text == null) {
            throw new IllegalArgumentException("no media type was given");
        }
        List<String> parts = split(text, ';');
        String name = parts.get(0).trim();
        int slash = name.indexOf('/');
        if (slash < 0 && name.equals("*")) {
            name = "*/*";
            slash = 1;
        }
        if (slash < 1 || slash == name.length() - 1) {
            throw new IllegalArgumentException("not a media type: " + text);
        }
        Map<String, String> parameters = new LinkedHashMap<>();
        for (int i = 1; i < parts.size(); i++) {
            String part = parts.get(i).trim();
            int equals = part.indexOf('=');
            if (equals > 0) {
                parameters.put(part.substring(0, equals).trim().toLowerCase(), unquoted(part.substring(equals + 1).trim()));
            }
        }
        return new MediaType(name.substring(0, slash), name.substring(slash + 1), parameters);
    }

    @Override
    public String toString(MediaType type) {
        StringBuilder out = new StringBuilder(type.getType()).append('/').append(type.getSubtype());
        for (Map.Entry<String, String> parameter : type.getParameters().entrySet()) {
            String value = parameter.getValue();
            boolean isToken = !value.isEmpty();
            for (int i = 0; i < value.length(); i++) {
                isToken &= value.charAt(i) > ' ' && "()<>@,;:\\\"/[]?=".indexOf(value.charAt(i)) < 0;
            }
            out.append(';').append(parameter.getKey()).append('=');
            out.append(isToken ? value : "\"" + value.replace("\\", "\\\\").replace("\"", "\\\"") + "\"");
        }
        return out.toString();
    }

    /** The parts of a text that stand between these letters, those in quotes left alone. */
    static List<String> split(String text, char by) {
        List<String> parts = new ArrayList<>();
        int begin = 0;
        boolean isQuoted = false;
        for (int i = 0; i < text.length(); i++) {
            char letter = text.charAt(i);
            if (letter == '\\' && isQuoted) {
                i++;
            } else if (letter == '"') {
                isQuoted = !isQuoted;
            } else if (letter == by && !isQuoted) {
                parts.add(text.substring(begin, i));
                begin = i + 1;
            }
        }
        parts.add(text.substring(begin));
        return parts;
    }

    static String unquoted(String text) {
        if (text.length() < 2 || !text.startsWith("\"") || !text.endsWith("\"")) {
            return text;
        }
        StringBuilder out = new StringBuilder();
        for (int i = 1; i < text.length() - 1; i++) {
            if (text.charAt(i) == '\\' && i + 1 < text.length() - 1) {
                i++;
            }
            out.append(text.charAt(i));
        }
        return out.toString();
    }

    /** What several annotations or header lines name, each of them a list itself. */
    static List<MediaType> list(Iterable<String> texts) {
        List<MediaType> all = new ArrayList<>();
        for (String text : texts) {
            for (String one : split(text, ',')) {
                if (!one.trim().isEmpty()) {
                    all.add(MediaType.valueOf(one));
                }
            }
        }
        return all;
    }

    /** How much a client wants this, in thousandths. */
    static int quality(MediaType type) {
        String text = type.getParameters().get("q");
        if (text == null) {
            return 1000;
        }
        try {
            return (int) Math.max(0, Math.min(1000, Math.round(Double.parseDouble(text) * 1000)));
        } catch (NumberFormatException wrong) {
            return 0;
        }
    }

    /** 2 for a whole name, 1 for `text/*`, 0 for anything. */
    static int closeness(MediaType type) {
        return type.isWildcardType() ? 0 : type.isWildcardSubtype() ? 1 : 2;
    }

    static boolean isJson(MediaType type) {
        String name = type.getSubtype().toLowerCase();
        return name.equals("json") || name.endsWith("+json");
    }

    static String charset(MediaType type) {
        String named = type == null ? null : type.getParameters().get(MediaType.CHARSET_PARAMETER);
        return named == null ? "UTF-8" : named;
    }
}
