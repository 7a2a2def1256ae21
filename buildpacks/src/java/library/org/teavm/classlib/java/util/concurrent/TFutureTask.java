package org.teavm.classlib.java.util.concurrent;

import java.util.concurrent.Callable;
import java.util.concurrent.CancellationException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;

/** Work with a result, run once. */
public class TFutureTask<V> implements TFuture<V>, Runnable {
    private final Callable<V> work;
    private V result;
    private Throwable thrown;
    private boolean done;
    private boolean cancelled;

    public TFutureTask(Callable<V> work) {
        if (work == null) {
            throw new NullPointerException();
        }
        this.work = work;
    }

    public TFutureTask(Runnable work, V result) {
        this(() -> {
            work.run();
            return result;
        });
    }

    @Override
    public void run() {
        if (done) {
            return;
        }
        V made = null;
        Throwable failure = null;
        try {
            made = work.call();
        } catch (Throwable caught) {
            failure = caught;
        }
        synchronized (this) {
            if (!done) {
                result = made;
                thrown = failure;
                done = true;
                notifyAll();
            }
        }
    }

    @Override
    public boolean cancel(boolean mayInterrupt) {
        synchronized (this) {
            if (done) {
                return false;
            }
            cancelled = true;
            done = true;
            notifyAll();
            return true;
        }
    }

    @Override
    public boolean isCancelled() {
        return cancelled;
    }

    @Override
    public boolean isDone() {
        return done;
    }

    @Override
    public V get() throws InterruptedException, ExecutionException {
        synchronized (this) {
            while (!done) {
                wait();
            }
            return outcome();
        }
    }

    @Override
    public V get(long time, TimeUnit unit) throws InterruptedException, ExecutionException, TTimeoutException {
        synchronized (this) {
            long end = System.currentTimeMillis() + unit.toMillis(time);
            while (!done) {
                long left = end - System.currentTimeMillis();
                if (left <= 0) {
                    throw new TTimeoutException();
                }
                wait(left);
            }
            return outcome();
        }
    }

    private V outcome() throws ExecutionException {
        if (cancelled) {
            throw new CancellationException();
        }
        if (thrown != null) {
            throw new ExecutionException(thrown);
        }
        return result;
    }
}
