package org.teavm.classlib.java.util.concurrent;

/** An executor that was shut down takes no more work. */
public class TRejectedExecutionException extends RuntimeException {
    public TRejectedExecutionException() {
    }

    public TRejectedExecutionException(String message) {
        super(message);
    }
}
