package org.teavm.classlib.java.security;

import java.util.Random;
import virga.Native;

/** Random numbers of the platform's own source, whatever seed is given. */
public class TSecureRandom extends Random {
    public TSecureRandom() {
    }

    public TSecureRandom(byte[] seed) {
    }

    public static TSecureRandom getInstance(String algorithm) {
        return new TSecureRandom();
    }

    public static TSecureRandom getInstanceStrong() {
        return new TSecureRandom();
    }

    public String getAlgorithm() {
        return "NativePRNG";
    }

    public void setSeed(byte[] seed) {
    }

    @Override
    public void setSeed(long seed) {
    }

    public void reseed() {
    }

    @Override
    protected int next(int bits) {
        byte[] bytes = new byte[4];
        Native.random(bytes);
        int value = (bytes[0] & 0xFF) << 24 | (bytes[1] & 0xFF) << 16 | (bytes[2] & 0xFF) << 8 | bytes[3] & 0xFF;
        return value >>> 32 - bits;
    }

    @Override
    public int nextInt() {
        return next(32);
    }

    @Override
    public long nextLong() {
        return ((long) next(32) << 32) + next(32);
    }

    @Override
    public double nextDouble() {
        return (((long) next(26) << 27) + next(27)) / (double) (1L << 53);
    }

    @Override
    public void nextBytes(byte[] bytes) {
        Native.random(bytes);
    }

    public static byte[] getSeed(int count) {
        byte[] seed = new byte[count];
        Native.random(seed);
        return seed;
    }

    public byte[] generateSeed(int count) {
        return getSeed(count);
    }
}
