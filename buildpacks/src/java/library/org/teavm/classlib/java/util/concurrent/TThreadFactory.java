package org.teavm.classlib.java.util.concurrent;

/** Makes threads. */
@FunctionalInterface
public interface TThreadFactory {
    Thread newThread(Runnable work);
}
