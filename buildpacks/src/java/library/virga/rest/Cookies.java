package virga.rest;

import jakarta.ws.rs.core.Cookie;
import jakarta.ws.rs.core.NewCookie;
import jakarta.ws.rs.ext.RuntimeDelegate.HeaderDelegate;
import java.util.Date;

/** Cookies as headers write them. */
final class Cookies {
    private Cookies() {
    }

    /** One that a client sends. */
    static final class Sent implements HeaderDelegate<Cookie> {
        @Override
        public Cookie fromString(String text) {
            int equals = text.indexOf('=');
            if (equals < 1) {
                throw new IllegalArgumentException("not a cookie: " + text);
            }
            return new Cookie(text.substring(0, equals).trim(), MediaTypes.unquoted(text.substring(equals + 1).trim()));
        }

        @Override
        public String toString(Cookie cookie) {
            return cookie.getName() + "=" + cookie.getValue();
        }
    }

    /** One that an answer sets. */
    static final class New implements HeaderDelegate<NewCookie> {
        @Override
        public NewCookie fromString(String text) {
            Cookie first = new Sent().fromString(text.split(";")[0]);
            NewCookie.Builder made = new NewCookie.Builder(first.getName());
            made.value(first.getValue());
            for (String part : text.split(";")) {
                int equals = part.indexOf('=');
                String name = (equals < 0 ? part : part.substring(0, equals)).trim().toLowerCase();
                String value = equals < 0 ? "" : part.substring(equals + 1).trim();
                switch (name) {
                    case "path" -> made.path(value);
                    case "domain" -> made.domain(value);
                    case "max-age" -> made.maxAge(Integer.parseInt(value));
                    case "secure" -> made.secure(true);
                    case "httponly" -> made.httpOnly(true);
                    case "expires" -> made.expiry(new Date(virga.servlet.Dates.read(value)));
                    case "samesite" -> made.sameSite(NewCookie.SameSite.valueOf(value.toUpperCase()));
                    default -> { }
                }
            }
            return made.build();
        }

        @Override
        public String toString(NewCookie cookie) {
            StringBuilder out = new StringBuilder(cookie.getName()).append('=').append(cookie.getValue() == null ? "" : cookie.getValue());
            add(out, "Path", cookie.getPath());
            add(out, "Domain", cookie.getDomain());
            if (cookie.getMaxAge() != NewCookie.DEFAULT_MAX_AGE) {
                add(out, "Max-Age", Integer.toString(cookie.getMaxAge()));
            }
            if (cookie.getExpiry() != null) {
                add(out, "Expires", virga.servlet.Dates.write(cookie.getExpiry().getTime()));
            }
            if (cookie.getSameSite() != null) {
                String name = cookie.getSameSite().name();
                add(out, "SameSite", name.charAt(0) + name.substring(1).toLowerCase());
            }
            out.append(cookie.isSecure() ? "; Secure" : "").append(cookie.isHttpOnly() ? "; HttpOnly" : "");
            return out.toString();
        }

        private static void add(StringBuilder out, String name, String value) {
            if (value != null) {
                out.append("; ").append(name).append('=').append(value);
            }
        }
    }
}
