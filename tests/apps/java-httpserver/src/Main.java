import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.security.SecureRandom;
import java.util.concurrent.atomic.AtomicInteger;

/** The JDK's own HTTP server, as a plain Java program uses it. */
public class Main {
    private static final AtomicInteger COUNT = new AtomicInteger();
    private static final SecureRandom RANDOM = new SecureRandom();

    public static void main(String[] args) throws IOException {
        if (args.length > 0) {
            System.out.println("task done " + String.join(" ", args));
            return;
        }
        int port = Integer.parseInt(System.getenv().getOrDefault("PORT", "8080"));
        HttpServer server = HttpServer.create(new InetSocketAddress(port), 0);
        server.createContext("/", Main::hello);
        server.createContext("/env/", Main::environment);
        server.createContext("/echo", Main::echo);
        server.createContext("/stream", Main::stream);
        server.createContext("/random", exchange -> text(exchange, 200, hex(12)));
        server.createContext("/count", exchange -> text(exchange, 200, Integer.toString(COUNT.incrementAndGet())));
        server.createContext("/fail", exchange -> {
            throw new IllegalStateException("asked to fail");
        });
        server.start();
    }

    private static void hello(HttpExchange exchange) throws IOException {
        if (!exchange.getRequestURI().getPath().equals("/")) {
            text(exchange, 404, "nothing here\n");
            return;
        }
        text(exchange, 200, "Hello from com.sun.net.httpserver on Virga\n");
    }

    private static void environment(HttpExchange exchange) throws IOException {
        String name = exchange.getRequestURI().getPath().substring("/env/".length());
        String value = System.getenv(name);
        text(exchange, value == null ? 404 : 200, value == null ? "not set" : value);
    }

    private static void echo(HttpExchange exchange) throws IOException {
        byte[] body = exchange.getRequestBody().readAllBytes();
        log(exchange);
        exchange.getResponseHeaders().set("Content-Type", "application/octet-stream");
        exchange.sendResponseHeaders(200, body.length == 0 ? -1 : body.length);
        try (OutputStream out = exchange.getResponseBody()) {
            out.write(body);
        }
    }

    private static void stream(HttpExchange exchange) throws IOException {
        log(exchange);
        exchange.sendResponseHeaders(200, 0);
        try (OutputStream out = exchange.getResponseBody()) {
            for (int i = 1; i <= 5; i++) {
                out.write(("chunk " + i + "\n").getBytes(StandardCharsets.UTF_8));
                out.flush();
                Thread.sleep(20);
            }
        } catch (InterruptedException stopped) {
            Thread.currentThread().interrupt();
        }
    }

    private static String hex(int bytes) {
        byte[] random = new byte[bytes];
        RANDOM.nextBytes(random);
        StringBuilder text = new StringBuilder();
        for (byte value : random) {
            text.append(String.format("%02x", value & 0xFF));
        }
        return text.toString();
    }

    private static void log(HttpExchange exchange) {
        System.out.println(exchange.getRequestMethod() + " " + exchange.getRequestURI());
    }

    private static void text(HttpExchange exchange, int status, String text) throws IOException {
        byte[] body = text.getBytes(StandardCharsets.UTF_8);
        log(exchange);
        exchange.getResponseHeaders().set("Content-Type", "text/plain; charset=utf-8");
        exchange.sendResponseHeaders(status, body.length);
        try (OutputStream out = exchange.getResponseBody()) {
            out.write(body);
        }
    }
}
