package virga.servlet;

/** One URL pattern of a servlet or filter: exact, `/path/*`, `*.ending`, `/` for all that nothing else takes, or empty for the root. */
final class Pattern {
    private final String text;

    Pattern(String text) {
        boolean isOne = text.isEmpty() || text.startsWith("*.") && text.indexOf('/') < 0 || text.startsWith("/") && isPath(text);
        if (!isOne) {
            throw new IllegalArgumentException("not a URL pattern: " + text + "; write /path, /path/*, *.ending or /");
        }
        this.text = text;
    }

    private static boolean isPath(String text) {
        int star = text.indexOf('*');
        return star < 0 || star == text.length() - 1 && text.endsWith("/*");
    }

    private boolean isPrefix() {
        return text.endsWith("/*");
    }

    private String prefix() {
        return text.substring(0, text.length() - 2);
    }

    private boolean begins(String path) {
        return path.startsWith(prefix()) && (path.length() == text.length() - 2 || path.charAt(text.length() - 2) == '/');
    }

    /** How closely this fits: 0 not at all; exact before the longest prefix, before an ending, before `/`. */
    int fit(String path) {
        if (text.equals("/")) {
            return 1;
        }
        if (text.isEmpty()) {
            return path.equals("/") ? Integer.MAX_VALUE : 0;
        }
        if (isPrefix()) {
            return begins(path) ? 3 + prefix().length() : 0;
        }
        if (text.startsWith("*")) {
            return path.substring(path.lastIndexOf('/') + 1).endsWith(text.substring(1)) ? 2 : 0;
        }
        return path.equals(text) ? Integer.MAX_VALUE : 0;
    }

    /** Whether a filter of this pattern stands before this path. */
    boolean filters(String path) {
        return fit(path) > 1 || text.equals("/");
    }

    /** The part of the path that names the servlet. */
    String servletPath(String path) {
        return isPrefix() ? prefix() : text.isEmpty() ? "" : path;
    }

    /** What follows it, or null. */
    String pathInfo(String path) {
        String rest = path.substring(servletPath(path).length());
        return rest.isEmpty() ? null : rest;
    }
}
