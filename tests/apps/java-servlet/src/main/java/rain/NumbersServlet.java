package rain;

import jakarta.servlet.annotation.WebServlet;
import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.security.SecureRandom;
import java.util.concurrent.atomic.AtomicInteger;

@WebServlet({ "/random", "/count" })
public class NumbersServlet extends HttpServlet {
    private final SecureRandom random = new SecureRandom();
    private final AtomicInteger count = new AtomicInteger();

    @Override
    protected void doGet(HttpServletRequest request, HttpServletResponse response) throws IOException {
        response.setContentType("text/plain;charset=UTF-8");
        if (request.getServletPath().equals("/count")) {
            response.getWriter().print(count.incrementAndGet());
            return;
        }
        byte[] bytes = new byte[12];
        random.nextBytes(bytes);
        StringBuilder hex = new StringBuilder();
        for (byte one : bytes) {
            hex.append(String.format("%02x", one & 0xff));
        }
        response.getWriter().print(hex);
    }
}
