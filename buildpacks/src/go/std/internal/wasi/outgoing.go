//go:build wasip1

package wasi

import "unsafe"

// An Output is the body of a response or a request under way to its receiver.
type Output struct {
	body   int32
	stream int32
	waiter Waiter
}

// result<_, error-code>; nothing in it is of use to us, and like the others it must not lie on the stack.
var finished [5]uint64

// Respond answers an incoming request with the head of a response; its body is to follow.
func Respond(outparam int32, status int, headers *HeaderList) (*Output, error) {
	fields, err := headers.Fields()
	if err != nil {
		return nil, err
	}
	response := newResponse(fields)
	setStatus(response, int32(status))
	output := openOutput(response, responseBody)
	setResponse(outparam, 0, response, 0, 0, 0, 0, 0, 0)
	return output, nil
}

// Fail answers an incoming request with the error internal-error and a reason.
func Fail(outparam int32, reason string) {
	setResponse(outparam, 1, internalError, 1, int64(pointer(reason)), int32(len(reason)), 0, 0, 0)
}

// The number of internal-error in the variant error-code.
const internalError = 38

func openOutput(owner int32, body func(int32, unsafe.Pointer)) *Output {
	var result struct{ isError, handle uint32 }
	// Both fail only if they are called twice.
	body(owner, unsafe.Pointer(&result))
	output := &Output{body: int32(result.handle)}
	bodyWrite(output.body, unsafe.Pointer(&result))
	output.stream = int32(result.handle)
	return output
}

// Write writes all of it, waiting for room.
func (o *Output) Write(bytes []byte) (int, error) {
	if o.body < 0 {
		return 0, ErrClosed
	}
	return WriteAll(o.stream, &o.waiter, bytes)
}

// Flush sends what was written on its way.
func (o *Output) Flush() error {
	if o.body < 0 {
		return ErrClosed
	}
	return Flush(o.stream)
}

// Finish ends the body as a whole one.
func (o *Output) Finish() {
	if o.close() {
		finishBody(o.body, 0, 0, unsafe.Pointer(&finished))
		release(given())
		o.body = -1
	}
}

// Abort ends the body as one that is not whole.
func (o *Output) Abort() {
	if o.close() {
		dropOutgoingBody(o.body)
		o.body = -1
	}
}

func (o *Output) close() bool {
	if o.body < 0 {
		return false
	}
	o.waiter.Close()
	DropOutput(o.stream)
	return true
}

//go:wasmimport wasi:http/types@0.2.10 [constructor]outgoing-response
//go:noescape
func newResponse(fields int32) int32

//go:wasmimport wasi:http/types@0.2.10 [method]outgoing-response.set-status-code
//go:noescape
func setStatus(response, status int32) int32

//go:wasmimport wasi:http/types@0.2.10 [method]outgoing-response.body
//go:noescape
func responseBody(response int32, result unsafe.Pointer)

// The flat form of result<outgoing-response, error-code>.
//
//go:wasmimport wasi:http/types@0.2.10 [static]response-outparam.set
//go:noescape
func setResponse(outparam, isError, handleOrCode, a int32, b int64, c, d, e, f int32)

//go:wasmimport wasi:http/types@0.2.10 [method]outgoing-body.write
//go:noescape
func bodyWrite(body int32, result unsafe.Pointer)

//go:wasmimport wasi:http/types@0.2.10 [static]outgoing-body.finish
//go:noescape
func finishBody(body, hasTrailers, trailers int32, result unsafe.Pointer)

//go:wasmimport wasi:http/types@0.2.10 [resource-drop]outgoing-body
//go:noescape
func dropOutgoingBody(body int32)
