//go:build wasip1

package wasi

import (
	"io"
	"unsafe"
)

// option<string>
type optionalString struct{ isSome, list, length uint32 }

var stringResult optionalString

var methods = [...]string{"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"}

// RequestMethod gives the method of an incoming request.
func RequestMethod(request int32) string {
	requestMethod(request, unsafe.Pointer(&stringResult))
	if kind := stringResult.isSome & 0xff; int(kind) < len(methods) {
		return methods[kind]
	}
	return takeString(stringResult.list, stringResult.length)
}

// RequestTarget gives path and query of an incoming request.
func RequestTarget(request int32) string {
	requestTarget(request, unsafe.Pointer(&stringResult))
	if stringResult.isSome&0xff == 0 {
		return "/"
	}
	return takeString(stringResult.list, stringResult.length)
}

// RequestAuthority gives the host that an incoming request is for.
func RequestAuthority(request int32) string {
	requestAuthority(request, unsafe.Pointer(&stringResult))
	if stringResult.isSome&0xff == 0 {
		return ""
	}
	return takeString(stringResult.list, stringResult.length)
}

// A Body is what a request or a response brings.
type Body struct {
	owner    int32
	body     int32
	stream   int32
	drop     func(int32)
	waiter   Waiter
	isClosed bool
	failed   error
}

// RequestBody takes the body out of a request; closing it drops the request.
func RequestBody(request int32) (*Body, error) {
	return openBody(request, consumeRequest, DropRequest)
}

// ResponseBody takes the body out of a response; closing it drops the response.
func ResponseBody(response int32) (*Body, error) {
	return openBody(response, consumeResponse, DropResponse)
}

func openBody(owner int32, consume func(int32, unsafe.Pointer), drop func(int32)) (*Body, error) {
	body := &Body{owner: owner, drop: drop}
	var result struct{ isError, handle uint32 }
	consume(owner, unsafe.Pointer(&result))
	if result.isError&0xff != 0 {
		drop(owner)
		return nil, ErrClosed
	}
	body.body = int32(result.handle)
	bodyStream(body.body, unsafe.Pointer(&result))
	if result.isError&0xff != 0 {
		dropBody(body.body)
		drop(owner)
		return nil, ErrClosed
	}
	body.stream = int32(result.handle)
	return body, nil
}

// Read waits for bytes; io.EOF at the end.
func (b *Body) Read(into []byte) (int, error) {
	for {
		if b.isClosed {
			return 0, ErrClosed
		}
		if b.failed != nil || len(into) == 0 {
			return 0, b.failed
		}
		count, err := Read(b.stream, into)
		if err == ErrClosed {
			err = io.EOF
		}
		if err != nil {
			b.failed = err
		}
		if count > 0 || err != nil {
			return count, err
		}
		b.waiter.Wait(SubscribeInput, b.stream)
	}
}

// Close gives up what was not read.
func (b *Body) Close() {
	if b.isClosed {
		return
	}
	b.isClosed = true
	b.waiter.Close()
	DropInput(b.stream)
	dropBody(b.body)
	b.drop(b.owner)
}

//go:wasmimport wasi:http/types@0.2.10 [method]incoming-request.method
//go:noescape
func requestMethod(request int32, result unsafe.Pointer)

//go:wasmimport wasi:http/types@0.2.10 [method]incoming-request.path-with-query
//go:noescape
func requestTarget(request int32, result unsafe.Pointer)

//go:wasmimport wasi:http/types@0.2.10 [method]incoming-request.authority
//go:noescape
func requestAuthority(request int32, result unsafe.Pointer)

// RequestHeaders gives the fields of an incoming request.
//
//go:wasmimport wasi:http/types@0.2.10 [method]incoming-request.headers
//go:noescape
func RequestHeaders(request int32) int32

//go:wasmimport wasi:http/types@0.2.10 [method]incoming-request.consume
//go:noescape
func consumeRequest(request int32, result unsafe.Pointer)

//go:wasmimport wasi:http/types@0.2.10 [resource-drop]incoming-request
//go:noescape
func DropRequest(request int32)

//go:wasmimport wasi:http/types@0.2.10 [method]incoming-body.stream
//go:noescape
func bodyStream(body int32, result unsafe.Pointer)

//go:wasmimport wasi:http/types@0.2.10 [resource-drop]incoming-body
//go:noescape
func dropBody(body int32)

// ResponseStatus gives the status of an incoming response.
//
//go:wasmimport wasi:http/types@0.2.10 [method]incoming-response.status
//go:noescape
func ResponseStatus(response int32) int32

// ResponseHeaders gives the fields of an incoming response.
//
//go:wasmimport wasi:http/types@0.2.10 [method]incoming-response.headers
//go:noescape
func ResponseHeaders(response int32) int32

//go:wasmimport wasi:http/types@0.2.10 [method]incoming-response.consume
//go:noescape
func consumeResponse(response int32, result unsafe.Pointer)

//go:wasmimport wasi:http/types@0.2.10 [resource-drop]incoming-response
//go:noescape
func DropResponse(response int32)
