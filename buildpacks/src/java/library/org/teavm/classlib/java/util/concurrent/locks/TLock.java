package org.teavm.classlib.java.util.concurrent.locks;

/** Held by one thread at a time. */
public interface TLock {
    void lock();

    boolean tryLock();

    void unlock();
}
