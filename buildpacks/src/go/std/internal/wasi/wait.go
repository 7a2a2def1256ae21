//go:build wasip1

// Package wasi calls the host's HTTP interfaces: the canonical ABI by hand, each function under the name the interface gives it.
// Handles are int32, as the ABI has them; who holds one drops it.
package wasi

import (
	"errors"
	"unsafe"
)

// In the runtime.
func place(place unsafe.Pointer, size uintptr)
func given() uintptr
func release(given uintptr)
func wait(pollable int32)
func wake(pollable int32)

// Main is the program's main function.
func Main()

// ErrClosed says that the other side is gone or was closed.
var ErrClosed = errors.New("closed")

// A Waiter waits for a stream or a future; it makes the pollable once and keeps it.
type Waiter struct {
	pollable int32
	isMade   bool
	waiting  bool
}

// Wait parks the goroutine until what subscribe gives is ready or Close is called.
func (w *Waiter) Wait(subscribe func(int32) int32, of int32) {
	if !w.isMade {
		w.pollable, w.isMade = subscribe(of), true
	}
	w.waiting = true
	wait(w.pollable)
	w.waiting = false
}

// Wake ends a wait that is under way.
func (w *Waiter) Wake() {
	if w.waiting {
		w.waiting = false
		wake(w.pollable)
	}
}

// Close wakes who waits and drops the pollable, as must be done before its stream is dropped.
func (w *Waiter) Close() {
	w.Wake()
	if w.isMade {
		w.isMade = false
		dropPollable(w.pollable)
	}
}

//go:wasmimport wasi:io/poll@0.2.10 [resource-drop]pollable
//go:noescape
func dropPollable(pollable int32)
