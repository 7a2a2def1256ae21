package virga.servlet;

import jakarta.servlet.DispatcherType;
import jakarta.servlet.Filter;
import jakarta.servlet.FilterChain;
import jakarta.servlet.RequestDispatcher;
import jakarta.servlet.Servlet;
import jakarta.servlet.ServletContextEvent;
import jakarta.servlet.ServletContextListener;
import jakarta.servlet.ServletException;
import jakarta.servlet.ServletRequest;
import jakarta.servlet.ServletRequestWrapper;
import jakarta.servlet.ServletResponse;
import jakarta.servlet.ServletResponseWrapper;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import jakarta.servlet.http.HttpSessionListener;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import virga.Host;
import virga.Request;

/**
 * The servlets of an app. What they are is found while the app is built, and a class that is written then hands them over here: nothing
 * is looked up at run time.
 */
public final class Container {
    private final Context context = new Context(this);
    private final Sessions sessions = new Sessions(context);
    private Pages pages;
    private final List<Registered> servlets = new ArrayList<>();
    private final List<Before> filters = new ArrayList<>();
    private final List<ServletContextListener> listeners = new ArrayList<>();

    /** Parameters of the whole app, names and values in turn. */
    public void parameters(String... namesAndValues) {
        context.setParameters(Settings.pairs(namesAndValues));
    }

    /** Has the files of a folder answered where no servlet is. */
    public void files(String folder, String... welcome) {
        pages = new Pages(folder, welcome.length == 0 ? new String[] { "index.html", "index.htm" } : welcome, context);
    }

    /** How long a session lasts after its last request; 0 for no end. */
    public void sessionMinutes(int minutes) {
        sessions.setMinutes(minutes);
    }

    Pages pages() {
        return pages;
    }

    Sessions sessions() {
        return sessions;
    }

    /** Told when the app starts, or when sessions begin and end. */
    public void listener(Object listener) {
        if (listener instanceof ServletContextListener one) {
            listeners.add(one);
        }
        if (listener instanceof HttpSessionListener one) {
            sessions.listener(one);
        }
        if (!(listener instanceof ServletContextListener) && !(listener instanceof HttpSessionListener)) {
            throw Context.no("a listener of " + listener.getClass().getName() + "'s kind");
        }
    }

    /** One servlet; with a `load` of 0 or more it starts with the app, in this order. */
    public void servlet(String name, Servlet servlet, int load, String[] patterns, String[] parameters) {
        List<Pattern> at = patterns(patterns);
        servlets.add(new Registered(servlet, load, at, new Settings(name, context, parameters)));
    }

    /** Has the servlet of this name take forms of several parts, of at most so many bytes in one and in all of them; below 0 for any. */
    public void multipart(String name, long mostOfOne, long mostOfAll) {
        for (Registered one : servlets) {
            if (one.settings.getServletName().equals(name)) {
                one.uploads = new Uploads(mostOfOne, mostOfAll);
            }
        }
    }

    /** One filter, before what fits the patterns and before the servlets of these names. */
    public void filter(String name, Filter filter, String[] patterns, String[] servletNames, String[] parameters) {
        filters.add(new Before(filter, patterns(patterns), servletNames, new Settings(name, context, parameters)));
    }

    private static List<Pattern> patterns(String[] texts) {
        List<Pattern> patterns = new ArrayList<>();
        for (String text : texts) {
            patterns.add(new Pattern(text));
        }
        return patterns;
    }

    /** Starts listeners, filters and those servlets that want it, and serves. */
    public void start(String[] words) throws ServletException {
        if (words.length > 0) {
            throw new IllegalArgumentException("the servlets take no words; name a class with a main in front of them");
        }
        for (ServletContextListener listener : listeners) {
            listener.contextInitialized(new ServletContextEvent(context));
        }
        for (Before before : filters) {
            before.filter.init(before.settings);
        }
        List<Registered> early = new ArrayList<>();
        for (Registered one : servlets) {
            if (one.load >= 0) {
                early.add(one);
            }
        }
        early.sort((a, b) -> Integer.compare(a.load, b.load));
        for (Registered one : early) {
            one.ready();
        }
        Host.listen(this::serve);
    }

    private void serve(Request request) throws IOException, ServletException {
        Answer answer = new Answer(request);
        Call call = new Call(request, answer, context, this);
        String path = call.path();
        if (path == null) {
            answer.sendError(400, "the path of the request is not encoded rightly");
        } else {
            go(path, call, call, answer, DispatcherType.REQUEST);
        }
        answer.finish();
    }

    /** Answers what lies at a path: the filters before it, and the servlet. */
    private void go(String path, Call call, ServletRequest request, ServletResponse response, DispatcherType type)
        throws IOException, ServletException {
        Registered found = null;
        Pattern by = null;
        int best = 0;
        for (Registered one : servlets) {
            for (Pattern pattern : one.patterns) {
                int fit = pattern.fit(path);
                if (fit > best) {
                    best = fit;
                    found = one;
                    by = pattern;
                }
            }
        }
        if (by != null && type != DispatcherType.INCLUDE) {
            call.at(by.servletPath(path), by.pathInfo(path));
            call.takes(found.uploads);
        }
        List<Filter> chain = new ArrayList<>();
        if (type == DispatcherType.REQUEST) {
            for (Before before : filters) {
                if (before.applies(path, found)) {
                    chain.add(before.filter);
                }
            }
        }
        new Chain(chain, found, path).doFilter(request, response);
    }

    /** What answers at another path of the app. */
    RequestDispatcher dispatcher(String target) {
        int query = target.indexOf('?');
        return new Dispatcher(query < 0 ? target : target.substring(0, query), query < 0 ? null : target.substring(query + 1));
    }

    private static final class Registered {
        private final Servlet servlet;
        private final int load;
        private final List<Pattern> patterns;
        private final Settings settings;
        private Uploads uploads;
        private boolean isReady;

        Registered(Servlet servlet, int load, List<Pattern> patterns, Settings settings) {
            this.servlet = servlet;
            this.load = load;
            this.patterns = patterns;
            this.settings = settings;
        }

        Servlet ready() throws ServletException {
            if (!isReady) {
                servlet.init(settings);
                isReady = true;
            }
            return servlet;
        }
    }

    private static final class Before {
        private final Filter filter;
        private final List<Pattern> patterns;
        private final String[] servletNames;
        private final Settings settings;

        Before(Filter filter, List<Pattern> patterns, String[] servletNames, Settings settings) {
            this.filter = filter;
            this.patterns = patterns;
            this.servletNames = servletNames;
            this.settings = settings;
        }

        boolean applies(String path, Registered servlet) {
            for (Pattern pattern : patterns) {
                if (pattern.filters(path)) {
                    return true;
                }
            }
            for (String name : servletNames) {
                if (servlet != null && (name.equals("*") || name.equals(servlet.settings.getServletName()))) {
                    return true;
                }
            }
            return false;
        }
    }

    private final class Chain implements FilterChain {
        private final List<Filter> filters;
        private final Registered last;
        private final String path;
        private int next;

        Chain(List<Filter> filters, Registered last, String path) {
            this.filters = filters;
            this.last = last;
            this.path = path;
        }

        @Override
        public void doFilter(ServletRequest request, ServletResponse response) throws IOException, ServletException {
            if (next < filters.size()) {
                filters.get(next++).doFilter(request, response, this);
            } else if (last != null) {
                last.ready().service(request, response);
            } else if (!page(path, request, response)) {
                Answer.of(response).sendError(404, "nothing is here");
            }
        }
    }

    /** Answers with a file of the app; false where there is none. */
    public static boolean page(HttpServletRequest request, HttpServletResponse response) throws IOException {
        String path = Call.of(request).path();
        return path != null && request.getServletContext() instanceof Context own && own.container().page(path, request, response);
    }

    private boolean page(String path, ServletRequest request, ServletResponse response) throws IOException {
        boolean isHttp = request instanceof HttpServletRequest && response instanceof HttpServletResponse;
        return pages != null && isHttp && pages.answer(path, (HttpServletRequest) request, (HttpServletResponse) response);
    }

    private final class Dispatcher implements RequestDispatcher {
        private final String path;
        private final String query;

        Dispatcher(String path, String query) {
            this.path = path;
            this.query = query;
        }

        @Override
        public void forward(ServletRequest request, ServletResponse response) throws ServletException, IOException {
            if (response.isCommitted()) {
                throw new IllegalStateException("the answer has begun: it cannot be forwarded");
            }
            response.resetBuffer();
            Call call = Call.of(request);
            call.forwarded(path, query);
            go(path, call, request, response, DispatcherType.FORWARD);
            Answer.of(response).finish();
        }

        @Override
        public void include(ServletRequest request, ServletResponse response) throws ServletException, IOException {
            go(path, Call.of(request), request, response, DispatcherType.INCLUDE);
        }
    }

    static ServletRequest unwrapped(ServletRequest request) {
        ServletRequest inner = request;
        while (inner instanceof ServletRequestWrapper wrapper) {
            inner = wrapper.getRequest();
        }
        return inner;
    }

    static ServletResponse unwrapped(ServletResponse response) {
        ServletResponse inner = response;
        while (inner instanceof ServletResponseWrapper wrapper) {
            inner = wrapper.getResponse();
        }
        return inner;
    }
}
