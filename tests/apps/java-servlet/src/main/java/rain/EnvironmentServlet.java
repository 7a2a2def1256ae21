package rain;

import jakarta.servlet.annotation.WebServlet;
import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;

@WebServlet("/env/*")
public class EnvironmentServlet extends HttpServlet {
    @Override
    protected void doGet(HttpServletRequest request, HttpServletResponse response) throws IOException {
        String name = request.getPathInfo() == null ? "" : request.getPathInfo().substring(1);
        String value = System.getenv(name);
        if (value == null) {
            response.sendError(HttpServletResponse.SC_NOT_FOUND, "not set");
            return;
        }
        response.setContentType("text/plain;charset=UTF-8");
        response.getWriter().print(value);
    }
}
