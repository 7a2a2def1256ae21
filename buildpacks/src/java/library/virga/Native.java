package virga;

import java.nio.charset.StandardCharsets;
import org.teavm.interop.Address;
import org.teavm.interop.Import;

/** What the component's edge offers, as Java values. */
public final class Native {
    private Native() {
    }

    @Import(name = "virga_request_head")
    private static native Address requestHead();

    @Import(name = "virga_request_head_size")
    private static native int requestHeadSize();

    @Import(name = "virga_request_read")
    private static native int requestRead(Address into, int size);

    @Import(name = "virga_respond")
    private static native int respond(int status, Address headers, int size);

    @Import(name = "virga_response_write")
    private static native int responseWrite(Address from, int size);

    @Import(name = "virga_response_end")
    private static native int responseEnd();

    @Import(name = "virga_response_abort")
    private static native void responseAbort();

    @Import(name = "virga_environment")
    private static native Address environmentBytes();

    @Import(name = "virga_environment_size")
    private static native int environmentSize();

    @Import(name = "virga_arguments")
    private static native Address argumentBytes();

    @Import(name = "virga_arguments_size")
    private static native int argumentsSize();

    @Import(name = "virga_random_bytes")
    private static native void randomBytes(Address into, int size);

    @Import(name = "virga_output")
    private static native void output(int descriptor, Address from, int size);

    @Import(name = "virga_sleep")
    static native void sleep(long milliseconds);

    @Import(name = "virga_exit")
    private static native void exitNow(int status);

    /** A component is stopped without a word: hooks for it never run. */
    public static void ignore(Thread hook) {
    }

    /** Ends the program; what it printed is out. */
    public static void exit(int status) {
        exitNow(status);
    }

    /** Writes to descriptor 1 or 2. */
    public static void print(int descriptor, byte[] bytes, int offset, int length) {
        if (length > 0) {
            output(descriptor, Address.ofData(bytes).add(offset), length);
        }
    }

    public static void writeStdout(byte[] bytes, int offset, int length) {
        print(1, bytes, offset, length);
    }

    public static void writeStderr(byte[] bytes, int offset, int length) {
        print(2, bytes, offset, length);
    }

    /** Fills the array from the platform's random source. */
    public static void random(byte[] bytes) {
        if (bytes.length > 0) {
            randomBytes(Address.ofData(bytes), bytes.length);
        }
    }

    /** Method, path, authority, then names and values of headers. */
    static String[] head() {
        return texts(requestHead(), requestHeadSize());
    }

    /** Reads at most `length` bytes of the request's body; -1 at its end, -2 when the client broke off. */
    static int read(byte[] into, int offset, int length) {
        int got = requestRead(Address.ofData(into).add(offset), length);
        return got == 0 ? -1 : got < 0 ? -2 : got;
    }

    /** Begins the answer; false where a header is not allowed. */
    static boolean begin(int status, byte[] headers) {
        byte[] given = headers.length == 0 ? new byte[1] : headers;
        return respond(status, Address.ofData(given), headers.length) == 0;
    }

    static boolean write(byte[] from, int offset, int length) {
        return length == 0 || responseWrite(Address.ofData(from).add(offset), length) == 0;
    }

    static boolean end() {
        return responseEnd() == 0;
    }

    static void abort() {
        responseAbort();
    }

    static String[] environment() {
        Address at = environmentBytes();
        return texts(at, environmentSize());
    }

    /** The words of the command, without the program's name. */
    static String[] arguments() {
        Address at = argumentBytes();
        return texts(at, argumentsSize());
    }

    private static String[] texts(Address at, int size) {
        int count = 0;
        for (int i = 0; i < size; i++) {
            if (at.add(i).getByte() == 0) {
                count++;
            }
        }
        String[] all = new String[count];
        int begin = 0;
        int next = 0;
        for (int i = 0; i < size; i++) {
            if (at.add(i).getByte() == 0) {
                byte[] bytes = new byte[i - begin];
                for (int j = 0; j < bytes.length; j++) {
                    bytes[j] = at.add(begin + j).getByte();
                }
                all[next++] = new String(bytes, StandardCharsets.UTF_8);
                begin = i + 1;
            }
        }
        return all;
    }
}
