package rain;

import jakarta.servlet.ServletException;
import jakarta.servlet.annotation.MultipartConfig;
import jakarta.servlet.annotation.WebServlet;
import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import jakarta.servlet.http.Part;
import java.io.IOException;

@WebServlet("/upload")
@MultipartConfig(maxFileSize = 1 << 20)
public class UploadServlet extends HttpServlet {
    @Override
    protected void doPost(HttpServletRequest request, HttpServletResponse response) throws IOException, ServletException {
        response.setContentType("text/plain;charset=UTF-8");
        response.getWriter().println("title " + request.getParameter("title"));
        for (Part part : request.getParts()) {
            if (part.getSubmittedFileName() != null) {
                byte[] bytes = part.getInputStream().readAllBytes();
                response.getWriter().println(part.getSubmittedFileName() + " " + part.getContentType() + " " + bytes.length);
            }
        }
    }
}
