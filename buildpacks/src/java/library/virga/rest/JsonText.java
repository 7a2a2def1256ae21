package virga.rest;

import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Reads JSON into maps, lists, texts, BigDecimals, truths and nulls. */
final class JsonText {
    private static final int MOST_DEPTH = 200;
    private static final int MOST_NUMBER = 1000;

    private final String text;
    private int at;
    private int depth;

    private JsonText(String text) {
        this.text = text;
    }

    static Object read(String text) {
        JsonText reading = new JsonText(text);
        Object value = reading.value();
        if (reading.skip() < text.length()) {
            throw reading.wrong("nothing more");
        }
        return value;
    }

    private IllegalArgumentException wrong(String expected) {
        String found = at < text.length() ? "'" + text.charAt(at) + "'" : "its end";
        return new IllegalArgumentException("the body is not JSON: at letter " + (at + 1) + " there is " + found + " and not " + expected);
    }

    private int skip() {
        while (at < text.length() && " \t\r\n".indexOf(text.charAt(at)) >= 0) {
            at++;
        }
        return at;
    }

    private boolean take(char letter) {
        skip();
        boolean isThere = at < text.length() && text.charAt(at) == letter;
        at += isThere ? 1 : 0;
        return isThere;
    }

    private Object value() {
        skip();
        switch (at < text.length() ? text.charAt(at) : ' ') {
            case '{':
                return object();
            case '[':
                return list();
            case '"':
                return string();
            case 't':
                return word("true", true);
            case 'f':
                return word("false", false);
            case 'n':
                return word("null", null);
            default:
                return number();
        }
    }

    private Object word(String word, Object value) {
        if (!text.startsWith(word, at)) {
            throw wrong("a value");
        }
        at += word.length();
        return value;
    }

    private void enter() {
        at++;
        if (++depth > MOST_DEPTH) {
            throw new IllegalArgumentException("the body is nested more than " + MOST_DEPTH + " deep");
        }
    }

    private Map<String, Object> object() {
        enter();
        Map<String, Object> map = new LinkedHashMap<>();
        if (!take('}')) {
            do {
                if (skip() >= text.length() || text.charAt(at) != '"') {
                    throw wrong("a name");
                }
                String name = string();
                if (!take(':')) {
                    throw wrong("a colon");
                }
                map.put(name, value());
            } while (take(','));
            if (!take('}')) {
                throw wrong("a comma or a }");
            }
        }
        depth--;
        return map;
    }

    private List<Object> list() {
        enter();
        List<Object> items = new ArrayList<>();
        if (!take(']')) {
            do {
                items.add(value());
            } while (take(','));
            if (!take(']')) {
                throw wrong("a comma or a ]");
            }
        }
        depth--;
        return items;
    }

    private String string() {
        StringBuilder out = new StringBuilder();
        for (at++; at < text.length() && text.charAt(at) != '"'; at++) {
            char letter = text.charAt(at);
            if (letter < ' ') {
                throw wrong("a letter of a text");
            }
            out.append(letter == '\\' ? escape() : letter);
        }
        if (at >= text.length()) {
            throw wrong("the end of a text");
        }
        at++;
        return out.toString();
    }

    private char escape() {
        at++;
        char letter = at < text.length() ? text.charAt(at) : ' ';
        switch (letter) {
            case '"':
            case '\\':
            case '/':
                return letter;
            case 'b':
                return '\b';
            case 'f':
                return '\f';
            case 'n':
                return '\n';
            case 'r':
                return '\r';
            case 't':
                return '\t';
            case 'u':
                int code = 0;
                for (int i = 0; i < 4; i++) {
                    at++;
                    int digit = at < text.length() ? Character.digit(text.charAt(at), 16) : -1;
                    if (digit < 0) {
                        throw wrong("a digit");
                    }
                    code = code * 16 + digit;
                }
                return (char) code;
            default:
                throw wrong("an escape");
        }
    }

    private boolean isDigit() {
        return at < text.length() && text.charAt(at) >= '0' && text.charAt(at) <= '9';
    }

    private void digits() {
        if (!isDigit()) {
            throw wrong("a value");
        }
        while (isDigit()) {
            at++;
        }
    }

    private BigDecimal number() {
        int begin = at;
        at += at < text.length() && text.charAt(at) == '-' ? 1 : 0;
        boolean isZero = at < text.length() && text.charAt(at) == '0';
        digits();
        if (isZero && at - begin > 2) {
            throw wrong("a number");
        }
        if (at < text.length() && text.charAt(at) == '.') {
            at++;
            digits();
        }
        if (at < text.length() && (text.charAt(at) == 'e' || text.charAt(at) == 'E')) {
            at++;
            at += at < text.length() && (text.charAt(at) == '-' || text.charAt(at) == '+') ? 1 : 0;
            digits();
        }
        if (at - begin > MOST_NUMBER) {
            throw new IllegalArgumentException("the body has a number of more than " + MOST_NUMBER + " digits");
        }
        try {
            return new BigDecimal(text.substring(begin, at));
        } catch (NumberFormatException | ArithmeticException wrong) {
            throw new IllegalArgumentException("the body has a number that is too large: " + text.substring(begin, at));
        }
    }
}
