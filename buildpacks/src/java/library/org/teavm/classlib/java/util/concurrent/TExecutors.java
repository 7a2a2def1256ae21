package org.teavm.classlib.java.util.concurrent;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;

/** Executors of threads that take turns: one runs at a time, and another when it waits. */
public final class TExecutors {
    private TExecutors() {
    }

    public static TExecutorService newFixedThreadPool(int threads) {
        return newFixedThreadPool(threads, Thread::new);
    }

    public static TExecutorService newFixedThreadPool(int threads, TThreadFactory factory) {
        if (threads <= 0) {
            throw new IllegalArgumentException();
        }
        return new Pool(threads, factory);
    }

    public static TExecutorService newCachedThreadPool() {
        return new Pool(Integer.MAX_VALUE, Thread::new);
    }

    public static TExecutorService newCachedThreadPool(TThreadFactory factory) {
        return new Pool(Integer.MAX_VALUE, factory);
    }

    public static TExecutorService newSingleThreadExecutor() {
        return new Pool(1, Thread::new);
    }

    public static TExecutorService newWorkStealingPool() {
        return newCachedThreadPool();
    }

    public static TExecutorService newVirtualThreadPerTaskExecutor() {
        return newCachedThreadPool();
    }

    public static TThreadFactory defaultThreadFactory() {
        return Thread::new;
    }

    /** Threads live as long as there is work for them. */
    private static final class Pool implements TExecutorService {
        private final int most;
        private final TThreadFactory factory;
        private final Deque<Runnable> waiting = new ArrayDeque<>();
        private int running;
        private boolean shutdown;

        Pool(int most, TThreadFactory factory) {
            this.most = most;
            this.factory = factory;
        }

        @Override
        public void execute(Runnable work) {
            if (work == null) {
                throw new NullPointerException();
            }
            synchronized (this) {
                if (shutdown) {
                    throw new TRejectedExecutionException("the executor was shut down");
                }
                waiting.add(work);
                if (running == most) {
                    return;
                }
                running++;
            }
            factory.newThread(this::work).start();
        }

        private void work() {
            for (Runnable next = next(); next != null; next = next()) {
                try {
                    next.run();
                } catch (Throwable thrown) {
                    System.err.print("Exception in thread \"" + Thread.currentThread().getName() + "\" ");
                    thrown.printStackTrace();
                }
            }
        }

        private Runnable next() {
            synchronized (this) {
                Runnable next = waiting.poll();
                if (next == null) {
                    running--;
                    notifyAll();
                }
                return next;
            }
        }

        @Override
        public void shutdown() {
            synchronized (this) {
                shutdown = true;
                notifyAll();
            }
        }

        @Override
        public List<Runnable> shutdownNow() {
            synchronized (this) {
                shutdown();
                List<Runnable> left = new ArrayList<>(waiting);
                waiting.clear();
                return left;
            }
        }

        @Override
        public boolean isShutdown() {
            return shutdown;
        }

        @Override
        public boolean isTerminated() {
            return shutdown && running == 0;
        }

        @Override
        public boolean awaitTermination(long time, TimeUnit unit) throws InterruptedException {
            synchronized (this) {
                long end = System.currentTimeMillis() + unit.toMillis(time);
                while (!isTerminated()) {
                    long left = end - System.currentTimeMillis();
                    if (left <= 0) {
                        return false;
                    }
                    wait(left);
                }
                return true;
            }
        }

        @Override
        public <T> TFuture<T> submit(Callable<T> work) {
            TFutureTask<T> task = new TFutureTask<>(work);
            execute(task);
            return task;
        }

        @Override
        public <T> TFuture<T> submit(Runnable work, T result) {
            TFutureTask<T> task = new TFutureTask<>(work, result);
            execute(task);
            return task;
        }

        @Override
        public TFuture<?> submit(Runnable work) {
            return submit(work, null);
        }

        @Override
        public <T> List<TFuture<T>> invokeAll(Collection<? extends Callable<T>> all) throws InterruptedException {
            List<TFuture<T>> results = new ArrayList<>();
            for (Callable<T> work : all) {
                results.add(submit(work));
            }
            for (TFuture<T> result : results) {
                try {
                    result.get();
                } catch (java.util.concurrent.ExecutionException | java.util.concurrent.CancellationException told) {
                    // Whoever asks this one for its result is told.
                    continue;
                }
            }
            return results;
        }

        @Override
        public void close() {
            shutdown();
            try {
                awaitTermination(1, TimeUnit.DAYS);
            } catch (InterruptedException interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }
}
