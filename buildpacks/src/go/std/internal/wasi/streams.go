//go:build wasip1

package wasi

import (
	"errors"
	"runtime"
	"unsafe"
)

// result<list<u8>, stream-error> and result<_, stream-error>.
type streamResult struct {
	isError uint8
	first   uint32
	second  uint32
}

// result<u64, stream-error>.
type countResult struct {
	isError uint8
	_       uint32
	count   uint64
}

// Results of calls that return lists. They are no local variables: the host asks for memory during such a call, which may move
// the stack. One of each is enough, since no other goroutine runs between a call and the reading of its result.
var (
	readResult streamResult
	textResult struct{ list, length uint32 }
)

// failure turns a stream-error into ErrClosed or its own words.
func failure(kind, handle uint32) error {
	if kind&0xff == 1 {
		return ErrClosed
	}
	errorText(int32(handle), unsafe.Pointer(&textResult))
	words := takeString(textResult.list, textResult.length)
	dropError(int32(handle))
	return errors.New(words)
}

// takeString copies what the call before this one returned, and releases it.
func takeString(list, length uint32) string {
	held := given()
	text := string(unsafe.Slice((*byte)(unsafe.Pointer(uintptr(list))), length))
	release(held)
	return text
}

// Read reads what is there without waiting: no bytes and no error mean that there is nothing yet.
func Read(stream int32, into []byte) (int, error) {
	if len(into) == 0 {
		return 0, nil
	}
	place(unsafe.Pointer(&into[0]), uintptr(len(into)))
	read(stream, uint64(len(into)), unsafe.Pointer(&readResult))
	release(given())
	runtime.KeepAlive(into)
	result := readResult
	if result.isError != 0 {
		return 0, failure(result.first, result.second)
	}
	return int(result.second), nil
}

// Room gives how many bytes Write takes now.
func Room(stream int32) (int, error) {
	var result countResult
	checkWrite(stream, unsafe.Pointer(&result))
	if result.isError != 0 {
		return 0, failure(uint32(result.count), uint32(result.count>>32))
	}
	return int(min(result.count, 1<<20)), nil
}

// Write writes no more than Room said.
func Write(stream int32, bytes []byte) error {
	if len(bytes) == 0 {
		return nil
	}
	var result streamResult
	write(stream, unsafe.Pointer(&bytes[0]), uint32(len(bytes)), unsafe.Pointer(&result))
	if result.isError != 0 {
		return failure(result.first, result.second)
	}
	return nil
}

// Flush sends what was written on its way, without waiting.
func Flush(stream int32) error {
	var result streamResult
	flush(stream, unsafe.Pointer(&result))
	if result.isError != 0 {
		return failure(result.first, result.second)
	}
	return nil
}

// WriteAll writes all of it, waiting for room.
func WriteAll(stream int32, waiter *Waiter, bytes []byte) (int, error) {
	written := 0
	for written < len(bytes) {
		room, err := Room(stream)
		if err != nil {
			return written, err
		}
		if room == 0 {
			waiter.Wait(SubscribeOutput, stream)
			continue
		}
		piece := bytes[written:min(written+room, len(bytes))]
		if err := Write(stream, piece); err != nil {
			return written, err
		}
		written += len(piece)
	}
	return written, nil
}

//go:wasmimport wasi:io/streams@0.2.10 [method]input-stream.read
//go:noescape
func read(stream int32, length uint64, result unsafe.Pointer)

//go:wasmimport wasi:io/streams@0.2.10 [method]output-stream.check-write
//go:noescape
func checkWrite(stream int32, result unsafe.Pointer)

//go:wasmimport wasi:io/streams@0.2.10 [method]output-stream.write
//go:noescape
func write(stream int32, list unsafe.Pointer, length uint32, result unsafe.Pointer)

//go:wasmimport wasi:io/streams@0.2.10 [method]output-stream.flush
//go:noescape
func flush(stream int32, result unsafe.Pointer)

//go:wasmimport wasi:io/streams@0.2.10 [method]input-stream.subscribe
//go:noescape
func SubscribeInput(stream int32) int32

//go:wasmimport wasi:io/streams@0.2.10 [method]output-stream.subscribe
//go:noescape
func SubscribeOutput(stream int32) int32

//go:wasmimport wasi:io/streams@0.2.10 [resource-drop]input-stream
//go:noescape
func DropInput(stream int32)

//go:wasmimport wasi:io/streams@0.2.10 [resource-drop]output-stream
//go:noescape
func DropOutput(stream int32)

//go:wasmimport wasi:io/error@0.2.10 [method]error.to-debug-string
//go:noescape
func errorText(err int32, result unsafe.Pointer)

//go:wasmimport wasi:io/error@0.2.10 [resource-drop]error
//go:noescape
func dropError(err int32)
