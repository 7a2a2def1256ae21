package virga.servlet;

import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.File;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.Set;

/** The files of the web app that are answered as they are. */
final class Pages {
    private final String root;
    private final String[] welcome;
    private final Context context;

    /** `welcome` are the names of files that answer for their folder. */
    Pages(String root, String[] welcome, Context context) {
        this.root = root.equals("/") ? "" : root;
        this.welcome = welcome;
        this.context = context;
    }

    /** The file at a path of the app, be it there or not; null where a path leads out or to what is the app's own. */
    private File at(String path) {
        if (!path.startsWith("/") || path.indexOf('\0') >= 0 || path.indexOf('\\') >= 0) {
            return null;
        }
        for (String part : path.split("/")) {
            if (part.equals("..") || part.equals(".") || part.equalsIgnoreCase("WEB-INF") || part.equalsIgnoreCase("META-INF")) {
                return null;
            }
        }
        return new File(root + path);
    }

    /** A file to read, or null. */
    InputStream open(String path) {
        File file = at(path);
        try {
            return file != null && file.isFile() ? new FileInputStream(file) : null;
        } catch (IOException gone) {
            return null;
        }
    }

    /** The paths below a folder, those of folders with a `/` at the end; null where it is none. */
    Set<String> below(String path) {
        String folder = path.endsWith("/") ? path : path + "/";
        File file = at(folder);
        String[] names = file == null ? null : file.list();
        if (names == null) {
            return null;
        }
        Arrays.sort(names);
        Set<String> found = new LinkedHashSet<>();
        for (String name : names) {
            found.add(folder + name + (new File(file, name).isDirectory() ? "/" : ""));
        }
        return found;
    }

    /** Answers with the file at this path; false where there is none. */
    boolean answer(String path, HttpServletRequest request, HttpServletResponse response) throws IOException {
        File file = at(path);
        if (file != null && file.isDirectory()) {
            for (String name : welcome) {
                File page = new File(file, name);
                if (page.isFile()) {
                    if (path.endsWith("/")) {
                        send(page, request, response);
                    } else {
                        String query = request.getQueryString();
                        response.sendRedirect(request.getRequestURI() + "/" + (query == null ? "" : "?" + query));
                    }
                    return true;
                }
            }
            return false;
        }
        if (file == null || path.endsWith("/") || !file.isFile()) {
            return false;
        }
        send(file, request, response);
        return true;
    }

    private void send(File file, HttpServletRequest request, HttpServletResponse response) throws IOException {
        if (!request.getMethod().equals("GET") && !request.getMethod().equals("HEAD")) {
            response.setHeader("Allow", "GET, HEAD");
            response.sendError(HttpServletResponse.SC_METHOD_NOT_ALLOWED, "a file is answered to GET and HEAD");
            return;
        }
        String type = context.getMimeType(file.getName());
        response.setContentType(type == null ? "application/octet-stream" : type);
        response.setContentLengthLong(file.length());
        if (request.getMethod().equals("GET")) {
            try (InputStream in = new FileInputStream(file)) {
                in.transferTo(response.getOutputStream());
            }
        }
    }
}
