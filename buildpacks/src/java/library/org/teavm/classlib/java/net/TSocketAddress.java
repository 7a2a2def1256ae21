package org.teavm.classlib.java.net;

import java.io.Serializable;

/** An address of no kind yet. */
public abstract class TSocketAddress implements Serializable {
}
