package virga.rest;

import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The path of a resource: `/cart/{id}/items/{item: [0-9]+}`. */
final class Template implements Comparable<Template> {
    private final String expression;
    private final List<String> names = new ArrayList<>();
    private final List<Integer> groups = new ArrayList<>();
    private final Pattern pattern;
    private final String text;
    private int literals;
    private int given;

    Template(String text) {
        this.text = text;
        StringBuilder out = new StringBuilder();
        StringBuilder literal = new StringBuilder();
        int group = 1;
        for (int i = 0; i < text.length(); i++) {
            if (text.charAt(i) != '{') {
                literal.append(text.charAt(i));
                continue;
            }
            flush(literal, out);
            int end = end(i);
            String inside = text.substring(i + 1, end);
            int colon = inside.indexOf(':');
            String rule = colon < 0 ? "[^/]+" : inside.substring(colon + 1).trim();
            names.add((colon < 0 ? inside : inside.substring(0, colon)).trim());
            groups.add(group);
            group += 1 + Pattern.compile(rule).matcher("").groupCount();
            given += colon < 0 ? 0 : 1;
            out.append('(').append(rule).append(')');
            i = end;
        }
        flush(literal, out);
        expression = out.toString();
        pattern = names.isEmpty() ? null : Pattern.compile(expression);
    }

    private void flush(StringBuilder literal, StringBuilder out) {
        if (literal.length() > 0) {
            String escaped = Escapes.path(literal.toString());
            literals += escaped.length();
            out.append(Pattern.quote(escaped));
            literal.setLength(0);
        }
    }

    private int end(int begin) {
        int depth = 0;
        for (int i = begin; i < text.length(); i++) {
            if (text.charAt(i) == '\\') {
                i++;
            } else if (text.charAt(i) == '{') {
                depth++;
            } else if (text.charAt(i) == '}' && --depth == 0) {
                return i;
            }
        }
        throw new IllegalArgumentException("a path has a { without its }: " + text);
    }

    boolean isLiteral() {
        return pattern == null;
    }

    /** What a path without variables is, as it comes in requests. */
    String literal() {
        return Escapes.path(text);
    }

    /** Templates of the same expression answer the same paths, whatever their variables are called. */
    String expression() {
        return expression;
    }

    String text() {
        return text;
    }

    /** Names and values in turn, or null where the path is another. */
    List<String> match(String path) {
        List<String> values = new ArrayList<>();
        if (pattern == null) {
            return path.equals(literal()) ? values : null;
        }
        Matcher matcher = pattern.matcher(path);
        if (!matcher.matches()) {
            return null;
        }
        for (int i = 0; i < names.size(); i++) {
            String value = matcher.group(groups.get(i));
            values.add(names.get(i));
            values.add(value == null ? "" : value);
        }
        return values;
    }

    /** The closer one first: more letters, then more variables, then more of them with a rule of their own. */
    @Override
    public int compareTo(Template other) {
        if (literals != other.literals) {
            return other.literals - literals;
        }
        return names.size() != other.names.size() ? other.names.size() - names.size() : other.given - given;
    }
}
