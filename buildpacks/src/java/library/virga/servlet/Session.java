package virga.servlet;

import jakarta.servlet.ServletContext;
import jakarta.servlet.http.HttpSession;
import java.util.Enumeration;

/** What is kept of one client between its requests, in the memory of this wasm instance. */
final class Session extends Attributes implements HttpSession {
    private final Sessions all;
    private final Context context;
    private final long created = System.currentTimeMillis();
    private String id;
    private long used = created;
    private long usedBefore = created;
    private int seconds;
    private boolean isNew = true;
    private boolean isOver;

    Session(Sessions all, Context context, String id, int seconds) {
        this.all = all;
        this.context = context;
        this.id = id;
        this.seconds = seconds;
    }

    private void check() {
        if (isOver) {
            throw new IllegalStateException("the session has ended");
        }
    }

    /** A request of the same client. */
    void use() {
        usedBefore = used;
        used = System.currentTimeMillis();
        isNew = false;
    }

    boolean isExpired(long now) {
        return seconds > 0 && now - used > seconds * 1000L;
    }

    void rename(String given) {
        id = given;
    }

    void end() {
        isOver = true;
    }

    @Override
    public long getCreationTime() {
        check();
        return created;
    }

    @Override
    public String getId() {
        return id;
    }

    @Override
    public long getLastAccessedTime() {
        check();
        return usedBefore;
    }

    @Override
    public ServletContext getServletContext() {
        return context;
    }

    @Override
    public void setMaxInactiveInterval(int given) {
        seconds = given;
    }

    @Override
    public int getMaxInactiveInterval() {
        return seconds;
    }

    @Override
    public Object getAttribute(String name) {
        check();
        return super.getAttribute(name);
    }

    @Override
    public Enumeration<String> getAttributeNames() {
        check();
        return super.getAttributeNames();
    }

    @Override
    public void setAttribute(String name, Object value) {
        check();
        super.setAttribute(name, value);
    }

    @Override
    public void removeAttribute(String name) {
        check();
        super.removeAttribute(name);
    }

    @Override
    public void invalidate() {
        check();
        all.end(this);
    }

    @Override
    public boolean isNew() {
        check();
        return isNew;
    }
}
