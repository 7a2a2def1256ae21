package jakarta.servlet.http;

import jakarta.servlet.GenericServlet;
import jakarta.servlet.ServletException;
import jakarta.servlet.ServletRequest;
import jakarta.servlet.ServletResponse;
import java.io.IOException;

/** In the place of the class of the same name in the servlet API, which asks by reflection what a servlet answers, and traces. */
public abstract class HttpServlet extends GenericServlet {
    private static final long serialVersionUID = 1L;

    public HttpServlet() {
    }

    @Override
    public void service(ServletRequest request, ServletResponse response) throws ServletException, IOException {
        if (!(request instanceof HttpServletRequest http) || !(response instanceof HttpServletResponse answer)) {
            throw new ServletException("a request that is not HTTP");
        }
        service(http, answer);
    }

    protected void service(HttpServletRequest request, HttpServletResponse response) throws ServletException, IOException {
        switch (request.getMethod()) {
            case "GET" -> {
                long changed = getLastModified(request);
                if (changed >= 0 && request.getDateHeader("If-Modified-Since") >= changed / 1000 * 1000) {
                    response.setStatus(HttpServletResponse.SC_NOT_MODIFIED);
                    return;
                }
                say(response, changed);
                doGet(request, response);
            }
            case "HEAD" -> {
                say(response, getLastModified(request));
                doHead(request, response);
            }
            case "POST" -> doPost(request, response);
            case "PUT" -> doPut(request, response);
            case "PATCH" -> doPatch(request, response);
            case "DELETE" -> doDelete(request, response);
            case "OPTIONS" -> doOptions(request, response);
            case "TRACE" -> doTrace(request, response);
            default -> response.sendError(HttpServletResponse.SC_NOT_IMPLEMENTED, "Method " + request.getMethod() + " is not implemented");
        }
    }

    private static void say(HttpServletResponse response, long changed) {
        if (changed >= 0 && !response.containsHeader("Last-Modified")) {
            response.setDateHeader("Last-Modified", changed);
        }
    }

    private static void refuse(HttpServletRequest request, HttpServletResponse response) throws IOException {
        response.sendError(HttpServletResponse.SC_METHOD_NOT_ALLOWED, "Method " + request.getMethod() + " is not supported by this URL");
    }

    protected long getLastModified(HttpServletRequest request) {
        return -1;
    }

    protected boolean isSensitiveHeader(String name) {
        return name.equalsIgnoreCase("authorization") || name.equalsIgnoreCase("cookie");
    }

    protected void doGet(HttpServletRequest request, HttpServletResponse response) throws ServletException, IOException {
        refuse(request, response);
    }

    /** As GET; the platform leaves the body out. */
    protected void doHead(HttpServletRequest request, HttpServletResponse response) throws ServletException, IOException {
        doGet(request, response);
    }

    protected void doPost(HttpServletRequest request, HttpServletResponse response) throws ServletException, IOException {
        refuse(request, response);
    }

    protected void doPut(HttpServletRequest request, HttpServletResponse response) throws ServletException, IOException {
        refuse(request, response);
    }

    protected void doPatch(HttpServletRequest request, HttpServletResponse response) throws ServletException, IOException {
        refuse(request, response);
    }

    protected void doDelete(HttpServletRequest request, HttpServletResponse response) throws ServletException, IOException {
        refuse(request, response);
    }

    /** What the servlet answers cannot be asked here, so it says itself what it allows, or refuses. */
    protected void doOptions(HttpServletRequest request, HttpServletResponse response) throws ServletException, IOException {
        refuse(request, response);
    }

    protected void doTrace(HttpServletRequest request, HttpServletResponse response) throws ServletException, IOException {
        refuse(request, response);
    }
}
