package org.teavm.classlib.java.net;

/** Host and port. There is one port, which the platform has opened; the host is kept as it was given. */
public class TInetSocketAddress extends TSocketAddress {
    private final String host;
    private final int port;

    public TInetSocketAddress(int port) {
        this("0.0.0.0", port);
    }

    public TInetSocketAddress(String host, int port) {
        if (port < 0 || port > 65535) {
            throw new IllegalArgumentException("port out of range:" + port);
        }
        if (host == null) {
            throw new IllegalArgumentException("hostname can't be null");
        }
        this.host = host;
        this.port = port;
    }

    public static TInetSocketAddress createUnresolved(String host, int port) {
        return new TInetSocketAddress(host, port);
    }

    public final int getPort() {
        return port;
    }

    public final String getHostName() {
        return host;
    }

    public final String getHostString() {
        return host;
    }

    public final boolean isUnresolved() {
        return true;
    }

    @Override
    public String toString() {
        return host + ":" + port;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof TInetSocketAddress that && that.port == port && that.host.equals(host);
    }

    @Override
    public int hashCode() {
        return host.hashCode() + port;
    }
}
