package virga.rest;

import java.nio.charset.StandardCharsets;

/** The `%` of addresses. */
final class Escapes {
    private static final String PATH = "-._~!$&'()*+,;=:@/";
    private static final String SEGMENT = "-._~!$&'()*+,;=:@";
    private static final String QUERY = "-._~!$'()*,;:@/?";
    private static final String HEX = "0123456789ABCDEF";

    private Escapes() {
    }

    static String path(String text) {
        return written(text, PATH, true);
    }

    static String segment(String text, boolean keepsEscapes) {
        return written(text, SEGMENT, keepsEscapes);
    }

    static String pathValue(String text, boolean keepsEscapes) {
        return written(text, PATH, keepsEscapes);
    }

    static String query(String text, boolean keepsEscapes) {
        return written(text, QUERY, keepsEscapes);
    }

    private static String written(String text, String allowed, boolean keepsEscapes) {
        StringBuilder out = new StringBuilder();
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        for (int i = 0; i < bytes.length; i++) {
            int one = bytes[i] & 0xff;
            boolean isEscape = keepsEscapes && one == '%' && i + 2 < bytes.length && digit(bytes[i + 1]) >= 0 && digit(bytes[i + 2]) >= 0;
            if (isEscape || isPlain(one) || one < 128 && allowed.indexOf(one) >= 0) {
                out.append((char) one);
            } else {
                out.append('%').append(HEX.charAt(one >> 4)).append(HEX.charAt(one & 15));
            }
        }
        return out.toString();
    }

    private static boolean isPlain(int letter) {
        return letter >= 'a' && letter <= 'z' || letter >= 'A' && letter <= 'Z' || letter >= '0' && letter <= '9';
    }

    private static int digit(int letter) {
        int value = letter < 128 ? HEX.indexOf(Character.toUpperCase((char) letter)) : -1;
        return letter < 0 ? -1 : value;
    }

    /** The text that was escaped; what is no escape stands as it came. */
    static String read(String text) {
        if (text.indexOf('%') < 0) {
            return text;
        }
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        byte[] out = new byte[bytes.length];
        int length = 0;
        for (int i = 0; i < bytes.length; i++) {
            boolean isEscape = bytes[i] == '%' && i + 2 < bytes.length && digit(bytes[i + 1]) >= 0 && digit(bytes[i + 2]) >= 0;
            out[length++] = isEscape ? (byte) (digit(bytes[i + 1]) << 4 | digit(bytes[i + 2])) : bytes[i];
            i += isEscape ? 2 : 0;
        }
        return new String(out, 0, length, StandardCharsets.UTF_8);
    }
}
