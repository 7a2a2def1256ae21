package virga;

import org.teavm.interop.Export;
import org.teavm.runtime.EventQueue;
import org.teavm.runtime.Fiber;

/**
 * Runs the app's main once, then one thread per request, and every other thread of the app along with it.
 *
 * What the edge calls runs outside of any thread of Java, where nothing may wait, and the translator takes most of the class library for
 * something that may: whatever is more than starting a thread is done in one.
 */
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

    @Export(name = "virga_java_serve")
    public static void serve() {
        if (!started) {
            started = true;
            new Thread(new Main(false)).start();
        }
        boolean goesOn = true;
        while (goesOn && server == null && !mainEnded) {
            goesOn = step();
        }
        Answer answer = new Answer();
        Thread thread = new Thread(answer);
        thread.setDaemon(true);
        thread.start();
        goesOn = true;
        while (goesOn && !answer.isOver()) {
            goesOn = step();
        }
        if (!answer.isOver()) {
            finish(new Complaint(answer));
        }
    }

    @Export(name = "virga_java_run")
    public static int run() {
        started = true;
        new Thread(new Main(true)).start();
        boolean goesOn = true;
        while (goesOn && (!mainEnded || Fiber.userThreadCount > 0)) {
            goesOn = step();
        }
        if (!mainEnded) {
            status = 1;
        }
        finish(new Complaint(null));
        return status;
    }

    /** Does what is due. False when every thread waits for another one. */
    private static boolean step() {
        long wait = EventQueue.processSingle();
        if (wait > 0) {
            Native.sleep(wait);
        }
        return wait >= 0;
    }

    private static void finish(Complaint complaint) {
        Thread thread = new Thread(complaint);
        thread.setDaemon(true);
        thread.start();
        boolean goesOn = true;
        while (goesOn && !complaint.done) {
            goesOn = step();
        }
    }

    /** The app's own main thread: of a server, or of a command with its words. */
    private static final class Main implements Runnable {
        private final boolean isCommand;

        Main(boolean isCommand) {
            this.isCommand = isCommand;
        }

        @Override
        public void run() {
            try {
                if (isCommand) {
                    command(Native.arguments());
                } else {
                    Start.main(null, new String[0]);
                }
            } catch (Throwable thrown) {
                System.err.print("Exception in thread \"main\" ");
                thrown.printStackTrace();
                status = 1;
            }
            mainEnded = true;
        }

        /** `java -Dname=value Main words`, `java -jar app.jar words`, or any other program's name with words for the main class of web. */
        private static void command(String[] words) throws Throwable {
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
            Start.main(main, rest);
        }
    }

    /** One request, from its head to the end of its answer. */
    private static final class Answer implements Runnable {
        private Request request;
        private boolean done;

        boolean isOver() {
            return done && request.isEnded();
        }

        @Override
        public void run() {
            request = new Request(Native.head());
            if (server == null) {
                System.err.println(status == 0
                    ? "the app's main has ended without starting a server: call start() of com.sun.net.httpserver.HttpServer"
                    : "the app has not started: what its main threw stands above");
                request.fail();
            } else {
                try {
                    server.serve(request);
                } catch (Throwable thrown) {
                    System.err.print("Exception while answering " + request.method() + " " + request.target() + ": ");
                    thrown.printStackTrace();
                    request.fail();
                }
            }
            done = true;
        }
    }

    /** The last words, where nothing else can go on. */
    private static final class Complaint implements Runnable {
        private final Answer answer;
        private boolean done;

        Complaint(Answer answer) {
            this.answer = answer;
        }

        @Override
        public void run() {
            if (answer != null && answer.request != null && !answer.request.isEnded()) {
                Request request = answer.request;
                System.err.println(answer.done
                    ? "the answer to " + request.method() + " " + request.target() + " was never ended: close the exchange or its body"
                    : "the request waits for a thread that waits itself: nothing can go on");
                request.fail();
            } else if (answer == null && !mainEnded) {
                System.err.println("every thread waits for another one: nothing can go on");
            }
            System.out.flush();
            done = true;
        }
    }
}
