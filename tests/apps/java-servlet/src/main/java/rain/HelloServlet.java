package rain;

import jakarta.servlet.ServletException;
import jakarta.servlet.annotation.WebInitParam;
import jakarta.servlet.annotation.WebServlet;
import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;

@WebServlet(urlPatterns = "", loadOnStartup = 1, initParams = @WebInitParam(name = "greeting", value = "Hello from Jakarta Servlet on Virga"))
public class HelloServlet extends HttpServlet {
    private String greeting;

    @Override
    public void init() throws ServletException {
        greeting = getInitParameter("greeting");
    }

    @Override
    protected void doGet(HttpServletRequest request, HttpServletResponse response) throws IOException {
        response.setContentType("text/plain;charset=UTF-8");
        response.getWriter().println(greeting);
    }
}
