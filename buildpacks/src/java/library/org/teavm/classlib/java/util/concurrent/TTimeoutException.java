package org.teavm.classlib.java.util.concurrent;

/** The result was not there in time. */
public class TTimeoutException extends Exception {
    public TTimeoutException() {
    }

    public TTimeoutException(String message) {
        super(message);
    }
}
