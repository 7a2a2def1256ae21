package org.teavm.classlib.java.util.concurrent.locks;

/** A lock that its holder may take again. */
public class TReentrantLock implements TLock {
    private Thread holder;
    private int times;

    public TReentrantLock() {
    }

    public TReentrantLock(boolean fair) {
    }

    @Override
    public void lock() {
        synchronized (this) {
            while (!tryLock()) {
                try {
                    wait();
                } catch (InterruptedException interrupted) {
                    Thread.currentThread().interrupt();
                }
            }
        }
    }

    @Override
    public boolean tryLock() {
        synchronized (this) {
            if (holder != null && holder != Thread.currentThread()) {
                return false;
            }
            holder = Thread.currentThread();
            times++;
            return true;
        }
    }

    @Override
    public void unlock() {
        synchronized (this) {
            if (holder != Thread.currentThread()) {
                throw new IllegalMonitorStateException();
            }
            if (--times == 0) {
                holder = null;
                notifyAll();
            }
        }
    }

    public boolean isLocked() {
        return holder != null;
    }

    public boolean isHeldByCurrentThread() {
        return holder == Thread.currentThread();
    }
}
