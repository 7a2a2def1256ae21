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

    public void countDown() {
        synchronized (this) {
            if (left > 0 && --left == 0) {
                notifyAll();
            }
        }
    }

    public long getCount() {
        synchronized (this) {
            return left;
        }
    }

    public void await() throws InterruptedException {
        synchronized (this) {
            while (left > 0) {
                wait();
            }
        }
    }

    public boolean await(long time, TimeUnit unit) throws InterruptedException {
        synchronized (this) {
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
}
