package virga.servlet;

import jakarta.servlet.http.HttpSessionEvent;
import jakarta.servlet.http.HttpSessionListener;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import virga.Native;

/** The sessions of this wasm instance, those of a cookie that a client brings. */
final class Sessions {
    static final String COOKIE = "JSESSIONID";
    /** More would be memory that clients fill; the one that was not used for longest then ends. */
    private static final int MOST = 10_000;
    private static final int ID_BYTES = 20;

    private final Context context;
    private final Map<String, Session> all = new LinkedHashMap<>();
    private final List<HttpSessionListener> listeners = new ArrayList<>();
    private int minutes = 30;

    Sessions(Context context) {
        this.context = context;
    }

    void setMinutes(int given) {
        minutes = given;
    }

    int minutes() {
        return minutes;
    }

    void listener(HttpSessionListener listener) {
        listeners.add(listener);
    }

    /** The session of this name, or null where there is none any more. */
    Session find(String id) {
        Session found = all.get(id);
        if (found != null && found.isExpired(System.currentTimeMillis())) {
            end(found);
            return null;
        }
        return found;
    }

    /** The same, for a new request of its client. */
    Session use(String id) {
        Session found = find(id);
        if (found != null) {
            found.use();
            // The order is that of their use.
            all.remove(id);
            all.put(id, found);
        }
        return found;
    }

    Session create() {
        long now = System.currentTimeMillis();
        for (Session one : new ArrayList<>(all.values())) {
            if (!one.isExpired(now) && all.size() < MOST) {
                break;
            }
            end(one);
        }
        Session made = new Session(this, context, id(), minutes * 60);
        all.put(made.getId(), made);
        for (HttpSessionListener listener : listeners) {
            listener.sessionCreated(new HttpSessionEvent(made));
        }
        return made;
    }

    void rename(Session session) {
        all.remove(session.getId());
        session.rename(id());
        all.put(session.getId(), session);
    }

    void end(Session session) {
        if (all.remove(session.getId()) != null) {
            for (int i = listeners.size() - 1; i >= 0; i--) {
                listeners.get(i).sessionDestroyed(new HttpSessionEvent(session));
            }
        }
        session.end();
    }

    private static String id() {
        byte[] random = new byte[ID_BYTES];
        Native.random(random);
        StringBuilder text = new StringBuilder();
        for (byte one : random) {
            text.append("0123456789ABCDEF".charAt(one >> 4 & 15)).append("0123456789ABCDEF".charAt(one & 15));
        }
        return text.toString();
    }
}
