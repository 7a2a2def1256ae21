package org.teavm.classlib.java.util.concurrent;

import java.util.Collection;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;

/** Runs work in threads of its own. */
public interface TExecutorService extends Executor, AutoCloseable {
    void shutdown();

    List<Runnable> shutdownNow();

    boolean isShutdown();

    boolean isTerminated();

    boolean awaitTermination(long time, TimeUnit unit) throws InterruptedException;

    <T> TFuture<T> submit(Callable<T> work);

    <T> TFuture<T> submit(Runnable work, T result);

    TFuture<?> submit(Runnable work);

    <T> List<TFuture<T>> invokeAll(Collection<? extends Callable<T>> all) throws InterruptedException;

    @Override
    void close();
}
