package virga;

import org.teavm.interop.Export;
import org.teavm.runtime.EventQueue;
import org.teavm.runtime.Fiber;

/** Runs the app's main once, then one thread per request, and every other thread of the app along with it. */
public final class Host {
    /** What answers requests; set by the server that the app starts. */
    public interface Server {
        /** Answers; whatever it throws is logged and becomes a 500. */
        void serve(Request request) throws Throwable;
    }


    private static Server server;
    private static boolean started;
    private static boolean mainEnded;
    private static int status;

    private Host() {
    }

    /** Makes this the server of the app's one port; a later one takes its place. */
    public static void listen(Server listening) {
        server = listening;
    }

    /** The first thread of the program: makes what the edge calls known, and ends. */
    public static void main(String[] words) {
        if (words.length > 0) {
            // Called by nobody here: a call inside of a try is what keeps the translator from dissolving them.
            try {
                serve();
                run();
            } catch (IllegalStateException never) {
                Native.exit(1);
            }
        }
    }

    private static void startMain(String main, String[] words) {
        started = true;
        Thread thread = new Thread(() -> {
            try {
                Start.main(main, words);
            } catch (Throwable thrown) {
                System.err.print("Exception in thread \"main\" ");
                thrown.printStackTrace();
                status = 1;
            }
            mainEnded = true;
        }, "main");
        thread.start();
    }

    /** Does what is due. False when every thread waits for another one. */
    private static boolean step() {
        long wait = EventQueue.processSingle();
        if (wait > 0) {
            Native.sleep(wait);
        }
        return wait >= 0;
    }

    @Export(name = "virga_java_serve")
    public static void serve() {
        if (!started) {
            startMain(null, new String[0]);
        }
        while (server == null && !mainEnded) {
            if (!step()) {
                break;
            }
        }
        Request request = new Request(Native.head());
        if (server == null) {
            System.err.println(status == 0
                ? "the app's main has ended without starting a server: call start() of com.sun.net.httpserver.HttpServer"
                : "the app has not started: what its main threw stands above");
            request.fail();
            return;
        }
        boolean[] done = new boolean[1];
        Thread thread = new Thread(() -> {
            try {
                server.serve(request);
            } catch (Throwable thrown) {
                System.err.print("Exception while answering " + request.method() + " " + request.target() + ": ");
                thrown.printStackTrace();
                request.fail();
            }
            done[0] = true;
        }, "request");
        thread.setDaemon(true);
        thread.start();
        boolean goesOn = true;
        while (goesOn && !(done[0] && request.isEnded())) {
            goesOn = step();
        }
        if (!request.isEnded()) {
            System.err.println(done[0]
                ? "the answer to " + request.method() + " " + request.target() + " was never ended: close the exchange or its body"
                : "the request waits for a thread that waits itself: nothing can go on");
            request.fail();
        }
    }

    @Export(name = "virga_java_run")
    public static int run() {
        String[] words = Native.arguments();
        int first = words.length == 0 ? 0 : 1;
        String main = null;
        if (first == 1 && (words[0].equals("java") || words[0].endsWith("/java"))) {
            while (first < words.length && words[first].startsWith("-") && !words[first].equals("-jar")) {
                String option = words[first++];
                if (option.startsWith("-D") && option.indexOf('=') > 2) {
                    System.setProperty(option.substring(2, option.indexOf('=')), option.substring(option.indexOf('=') + 1));
                } else if (option.equals("-cp") || option.equals("-classpath") || option.equals("--class-path")) {
                    first++;
                }
            }
            if (first < words.length && words[first].equals("-jar")) {
                first += 2;
            } else if (first < words.length) {
                main = words[first++];
            }
        }
        String[] rest = new String[Math.max(words.length - first, 0)];
        for (int i = 0; i < rest.length; i++) {
            rest[i] = words[first + i];
        }
        startMain(main, rest);
        boolean goesOn = true;
        while (goesOn && (!mainEnded || Fiber.userThreadCount > 0)) {
            goesOn = step();
        }
        if (!mainEnded) {
            System.err.println("every thread waits for another one: nothing can go on");
            status = 1;
        }
        System.out.flush();
        return status;
    }
}
