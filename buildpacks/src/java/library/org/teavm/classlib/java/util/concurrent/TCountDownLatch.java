package org.teavm.classlib.java.util.concurrent;

import java.util.concurrent.TimeUnit;

/** Lets threads wait until others have done so much. */
public class TCountDownLatch {
    private long left;

    public TCountDownLatch(int count) {
        if (count < 0) {
            throw new IllegalArgumentException("count < 0");
        }
        left = count;
    }

    public synchronized void countDown() {
        if (left > 0 && --left == 0) {
            notifyAll();
        }
    }

    public synchronized long getCount() {
        return left;
    }

    public synchronized void await() throws InterruptedException {
        while (left > 0) {
            wait();
        }
    }

    public synchronized boolean await(long time, TimeUnit unit) throws InterruptedException {
        long end = System.currentTimeMillis() + unit.toMillis(time);
        while (left > 0) {
            long more = end - System.currentTimeMillis();
            if (more <= 0) {
                return false;
            }
            wait(more);
        }
        return true;
    }
}
