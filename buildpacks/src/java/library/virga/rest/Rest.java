package virga.rest;

import jakarta.servlet.ServletConfig;
import jakarta.servlet.ServletException;
import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import jakarta.ws.rs.BadRequestException;
import jakarta.ws.rs.NotAcceptableException;
import jakarta.ws.rs.NotAllowedException;
import jakarta.ws.rs.NotFoundException;
import jakarta.ws.rs.NotSupportedException;
import jakarta.ws.rs.WebApplicationException;
import jakarta.ws.rs.container.ContainerRequestFilter;
import jakarta.ws.rs.container.ContainerResponseFilter;
import jakarta.ws.rs.core.Application;
import jakarta.ws.rs.core.MediaType;
import jakarta.ws.rs.core.Response;
import jakarta.ws.rs.ext.ExceptionMapper;
import jakarta.ws.rs.ext.MessageBodyReader;
import jakarta.ws.rs.ext.MessageBodyWriter;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import virga.servlet.Container;

/**
 * The resources of an app, below one path. What they are is found while the app is built; a class that is written then says it here in
 * its `declare`, so that nothing is looked up by reflection.
 */
public abstract class Rest extends HttpServlet {
    private static final long serialVersionUID = 1L;
    private static final Map<String, String> PATHS = new HashMap<>();

    private final Application application;
    private final Map<String, List<Route>> literal = new HashMap<>();
    private final List<List<Route>> others = new ArrayList<>();
    private final Set<Class<?>> named;
    private final Map<Class<?>, Object> singletons = new LinkedHashMap<>();
    private final List<Maker<?>> makers = new ArrayList<>();
    private final List<Provider<ContainerRequestFilter>> early = new ArrayList<>();
    private final List<Provider<ContainerRequestFilter>> filters = new ArrayList<>();
    private final List<Provider<ContainerResponseFilter>> last = new ArrayList<>();
    private final List<Provider<ExceptionMapper<?>>> mappers = new ArrayList<>();
    private final Bodies bodies = new Bodies();

    /** Without an application of its own an app has the one of the API, which leaves it to the platform to find everything. */
    protected Rest(Application application) {
        this.application = application;
        named = new LinkedHashSet<>(application.getClasses());
        for (Object one : application.getSingletons()) {
            singletons.put(one.getClass(), one);
            named.add(one.getClass());
        }
    }

    /** Says all of it. */
    protected abstract void declare() throws Throwable;

    @Override
    public void init(ServletConfig config) throws ServletException {
        super.init(config);
        try {
            declare();
        } catch (RuntimeException | Error own) {
            throw own;
        } catch (Throwable thrown) {
            throw new ServletException(thrown);
        }
        others.sort((a, b) -> a.get(0).template.compareTo(b.get(0).template));
        early.sort((a, b) -> Integer.compare(a.priority(), b.priority()));
        filters.sort((a, b) -> Integer.compare(a.priority(), b.priority()));
        last.sort((a, b) -> Integer.compare(b.priority(), a.priority()));
    }

    Application application() {
        return application;
    }

    Bodies bodies() {
        return bodies;
    }

    /** What `UriBuilder.path(Class)` adds, and with a method's name what that one adds. */
    protected final void path(Class<?> resource, String method, String path) {
        PATHS.put(resource.getName() + "#" + method, path);
    }

    static String pathOf(Class<?> resource) {
        return PATHS.get(resource.getName() + "#");
    }

    static String pathOf(Class<?> resource, String method) {
        return PATHS.get(resource.getName() + "#" + method);
    }

    /** Whether the app has this: where its application names classes, only those. */
    protected final boolean has(Class<?> type, boolean isMarked) {
        return named.isEmpty() ? isMarked : named.contains(type);
    }

    @SuppressWarnings("unchecked")
    protected final <T> Maker<T> maker(Class<T> type, boolean isOne, Maker.Construction<T> construction, Maker.Injection<T> injection) {
        return new Maker<>(isOne, construction, injection, (T) singletons.get(type));
    }

    protected final void route(String method, String path, String[] consumes, String[] produces, String[] bindings, Handler handler) {
        Route route = new Route(method, new Template(path), consumes, produces, bindings, handler);
        if (route.template.isLiteral()) {
            literal.computeIfAbsent(route.template.literal(), key -> new ArrayList<>()).add(route);
            return;
        }
        for (List<Route> same : others) {
            if (same.get(0).template.expression().equals(route.template.expression())) {
                same.add(route);
                return;
            }
        }
        List<Route> alone = new ArrayList<>();
        alone.add(route);
        others.add(alone);
    }

    /** Calls a method of a resource. */
    public interface Handler {
        Object answer(Call call) throws Throwable;
    }

    /** A filter, mapper, reader or writer; whichever of them it is. `target` is what the latter three are for. */
    @SuppressWarnings("unchecked")
    protected final void provider(Maker<?> maker, Class<?> target, int priority, boolean isEarly, String[] types, String[] bindings)
        throws Throwable {
        Object instance = maker.instance();
        makers.add(maker);
        if (instance instanceof ContainerRequestFilter filter) {
            (isEarly ? early : filters).add(new Provider<>(filter, null, priority, types, bindings));
        }
        if (instance instanceof ContainerResponseFilter filter) {
            last.add(new Provider<>(filter, null, priority, types, bindings));
        }
        if (instance instanceof ExceptionMapper<?> mapper) {
            mappers.add(new Provider<>(mapper, target, priority, types, bindings));
        }
        if (instance instanceof MessageBodyReader<?> reader) {
            bodies.add(new Provider<>(reader, target, priority, types, bindings));
        }
        if (instance instanceof MessageBodyWriter<?> writer) {
            bodies.addWriter(new Provider<>(writer, target, priority, types, bindings));
        }
    }

    protected final <T> void bean(Class<T> type, JsonOutput.Writer<T> writer) {
        bodies.bean(type, writer);
    }

    /** What the platform itself refuses a request with. */
    static WebApplicationException problem(int status, String message) {
        WebApplicationException thrown = switch (status) {
            case 400 -> new BadRequestException(message);
            case 404 -> new NotFoundException(message);
            case 406 -> new NotAcceptableException(message);
            case 415 -> new NotSupportedException(message);
            default -> new WebApplicationException(message, status);
        };
        if (Call.current() != null) {
            Call.current().setProblem(thrown);
        }
        return thrown;
    }

    @Override
    protected void service(HttpServletRequest request, HttpServletResponse response) throws ServletException, IOException {
        Call call = new Call(this, request, response, address(request));
        // Resources that take everything leave the files of the app what none of them is for.
        if (request.getServletPath().isEmpty() && at(path(call)) == null && Container.page(request, response)) {
            return;
        }
        Call outer = Call.current();
        Call.setCurrent(call);
        try {
            for (Maker<?> maker : makers) {
                maker.renew(call);
            }
            Reply reply = asked(call);
            try {
                send(call, filtered(call, reply));
            } catch (Exception thrown) {
                if (response.isCommitted()) {
                    throw thrown;
                }
                response.reset();
                send(call, mapped(call, thrown));
            }
        } catch (RuntimeException | Error | IOException | ServletException own) {
            throw own;
        } catch (Throwable thrown) {
            throw new ServletException(thrown);
        } finally {
            Call.setCurrent(outer);
        }
    }

    private static Address address(HttpServletRequest request) {
        String prefix = Escapes.path(request.getServletPath());
        String path = request.getRequestURI();
        path = path.startsWith(prefix) ? path.substring(prefix.length()) : path;
        String url = request.getRequestURL().toString();
        String base = url.substring(0, url.indexOf('/', url.indexOf("//") + 2)) + prefix + "/";
        return new Address(base, path.startsWith("/") ? path.substring(1) : path, request.getQueryString());
    }

    private Reply asked(Call call) throws Throwable {
        try {
            return answered(call);
        } catch (Throwable thrown) {
            return mapped(call, thrown);
        }
    }

    private Reply answered(Call call) throws Throwable {
        RequestContext before = new RequestContext(call, true);
        for (Provider<ContainerRequestFilter> filter : early) {
            filter.instance().filter(before);
            if (before.answer() != null) {
                return reply(before.answer());
            }
        }
        Reply options = match(call);
        if (options != null) {
            return options;
        }
        RequestContext context = new RequestContext(call, false);
        for (Provider<ContainerRequestFilter> filter : filters) {
            if (filter.isAt(call.route())) {
                filter.instance().filter(context);
                if (context.answer() != null) {
                    return reply(context.answer());
                }
            }
        }
        Object made = call.route().handler.answer(call);
        if (made instanceof Response response) {
            return reply(response);
        }
        return reply(made == null ? Response.noContent().build() : Response.ok(made).build());
    }

    private static Reply reply(Response response) {
        if (response instanceof Reply reply) {
            return reply;
        }
        HeaderMap<Object> headers = new HeaderMap<>();
        headers.putAll(response.getHeaders());
        return new Reply(response.getStatusInfo(), headers, response.getEntity());
    }

    /** Finds the method that answers; gives an answer where OPTIONS is asked and no method of the app is for it. */
    private Reply match(Call call) {
        String path = path(call);
        List<Route> found = at(path);
        if (found == null) {
            throw problem(404, "nothing is at " + path);
        }
        List<Route> ofMethod = withMethod(found, call.method());
        if (ofMethod.isEmpty()) {
            Set<String> allowed = allowed(found);
            if (call.method().equals("OPTIONS")) {
                return reply(Response.ok().allow(allowed).build());
            }
            WebApplicationException refused = new NotAllowedException(call.method() + " is not answered at " + path,
                Response.status(Response.Status.METHOD_NOT_ALLOWED).allow(allowed).build());
            call.setProblem(refused);
            throw refused;
        }
        Route best = best(ofMethod, call);
        call.matched(best, best.template.match(path));
        return null;
    }

    private static String path(Call call) {
        String path = "/" + withoutMatrix(call.address().getPath(false));
        return path.length() > 1 && path.endsWith("/") ? path.substring(0, path.length() - 1) : path;
    }

    /** The methods at a path, or null. */
    private List<Route> at(String path) {
        List<Route> found = literal.get(path);
        for (int i = 0; found == null && i < others.size(); i++) {
            found = others.get(i).get(0).template.match(path) == null ? null : others.get(i);
        }
        return found;
    }

    private static String withoutMatrix(String path) {
        if (path.indexOf(';') < 0) {
            return path;
        }
        StringBuilder out = new StringBuilder();
        boolean isMatrix = false;
        for (int i = 0; i < path.length(); i++) {
            isMatrix = path.charAt(i) == ';' || isMatrix && path.charAt(i) != '/';
            if (!isMatrix) {
                out.append(path.charAt(i));
            }
        }
        return out.toString();
    }

    private static List<Route> withMethod(List<Route> routes, String method) {
        List<Route> found = new ArrayList<>();
        for (Route one : routes) {
            if (one.method.equals(method)) {
                found.add(one);
            }
        }
        return found.isEmpty() && method.equals("HEAD") ? withMethod(routes, "GET") : found;
    }

    private static Set<String> allowed(List<Route> routes) {
        Set<String> methods = new java.util.TreeSet<>();
        for (Route one : routes) {
            methods.add(one.method);
            if (one.method.equals("GET")) {
                methods.add("HEAD");
            }
        }
        methods.add("OPTIONS");
        return methods;
    }

    private static Route best(List<Route> routes, Call call) {
        MediaType given = call.head().getMediaType();
        List<MediaType> accepted = call.head().getAcceptableMediaTypes();
        boolean isTaken = false;
        Route best = null;
        int bestRank = -1;
        for (Route one : routes) {
            int takes = one.takes(given);
            isTaken |= takes >= 0;
            int gives = one.gives(accepted);
            if (takes >= 0 && gives >= 0 && takes * 100_000 + gives > bestRank) {
                best = one;
                bestRank = takes * 100_000 + gives;
            }
        }
        if (best == null) {
            throw isTaken ? problem(406, "nothing here is of a type that the request accepts")
                : problem(415, "a body of " + given + " is not taken here");
        }
        return best;
    }

    /** What an exception is as an answer; one that nothing is known of goes on. */
    @SuppressWarnings("unchecked")
    private Reply mapped(Call call, Throwable thrown) throws Throwable {
        Reply own = thrown instanceof WebApplicationException web ? reply(web.getResponse()) : null;
        if (own != null && own.hasEntity()) {
            return own;
        }
        for (Class<?> type = thrown.getClass(); type != null; type = type.getSuperclass()) {
            for (Provider<ExceptionMapper<?>> one : mappers) {
                if (one.target() == type) {
                    Response made = ((ExceptionMapper<Throwable>) one.instance()).toResponse(thrown);
                    return reply(made == null ? Response.noContent().build() : made);
                }
            }
        }
        if (own == null) {
            throw thrown;
        }
        if (own.getStatus() >= 500) {
            System.err.print("Exception while answering " + call.method() + " " + call.request().getRequestURI() + ": ");
            thrown.printStackTrace();
        }
        if (!call.isProblem(thrown)) {
            return own;
        }
        return reply(Response.fromResponse(own).type(MediaType.TEXT_PLAIN_TYPE).entity(thrown.getMessage() + "\n").build());
    }

    private Reply filtered(Call call, Reply reply) throws IOException {
        RequestContext request = new RequestContext(call, false);
        ResponseContext response = new ResponseContext(reply, null);
        for (Provider<ContainerResponseFilter> filter : last) {
            if (filter.isAt(call.route())) {
                filter.instance().filter(request, response);
            }
        }
        return reply;
    }

    private void send(Call call, Reply reply) throws IOException {
        HttpServletResponse response = call.response();
        response.setStatus(reply.getStatus());
        if (!reply.hasEntity()) {
            head(reply.headers(), reply.getMediaType(), response);
            return;
        }
        Object entity = reply.getEntity();
        MediaType type = reply.getMediaType() == null ? chosen(call, entity) : reply.getMediaType();
        bodies.write(entity, type, reply.headers(), response);
    }

    /** The type that the client wants most of what the resource gives, or of what the body can be. */
    private MediaType chosen(Call call, Object entity) {
        boolean isSaid = call.route() != null && !call.route().produces.isEmpty();
        List<MediaType> offered = isSaid ? call.route().produces : bodies.natural(entity);
        for (MediaType wanted : call.head().getAcceptableMediaTypes()) {
            for (MediaType one : offered) {
                if (MediaTypes.quality(wanted) > 0 && one.isCompatible(wanted)) {
                    MediaType closer = MediaTypes.closeness(one) >= MediaTypes.closeness(wanted) ? one : wanted;
                    return MediaTypes.closeness(closer) == 2 ? plain(closer) : MediaType.APPLICATION_OCTET_STREAM_TYPE;
                }
            }
        }
        return offered.isEmpty() ? MediaType.APPLICATION_OCTET_STREAM_TYPE : plain(offered.get(0));
    }

    /** A type without what only weighs it. */
    private static MediaType plain(MediaType type) {
        Map<String, String> parameters = new LinkedHashMap<>(type.getParameters());
        parameters.remove("q");
        parameters.remove("qs");
        return new MediaType(type.getType(), type.getSubtype(), parameters);
    }

    static void head(HeaderMap<Object> headers, MediaType type, HttpServletResponse response) {
        if (type != null) {
            response.setContentType(new MediaTypes().toString(type));
        }
        for (Map.Entry<String, List<Object>> header : headers.entrySet()) {
            if (!header.getKey().equalsIgnoreCase("Content-Type")) {
                for (Object value : header.getValue()) {
                    response.addHeader(header.getKey(), HeaderMap.text(value));
                }
            }
        }
    }
}
