//go:build wasip1

package wasi

import (
	"errors"
	"unsafe"
)

// A Call is a request of ours on its way.
type Call struct {
	future   int32
	waiter   Waiter
	isClosed bool
}

// In the order of the variant error-code.
var errorCodes = [...]string{
	"DNS timeout", "DNS error", "destination not found", "destination unavailable", "destination address prohibited",
	"destination address unroutable", "connection refused", "connection terminated", "connection timeout",
	"connection read timeout", "connection write timeout", "connection limit reached", "TLS protocol error",
	"TLS certificate error", "TLS alert received", "request denied", "request needs a length", "request body too large",
	"request method invalid", "request URI invalid", "request URI too long", "request header section too large",
	"request header too large", "request trailer section too large", "request trailer too large", "response incomplete",
	"response header section too large", "response header too large", "response body too large",
	"response trailer section too large", "response trailer too large", "response transfer coding not known",
	"response content coding not known", "response timeout", "upgrade failed", "protocol error", "loop detected",
	"configuration error", "internal error",
}

// error-code; of the payloads only option<string> is read.
type errorCode struct {
	kind   uint8
	_      [7]byte
	isSome uint32
	list   uint32
	length uint32
	_      [3]uint32
}

// result<future-incoming-response, error-code>
type handleResult struct {
	isError uint8
	_       [7]byte
	code    errorCode
}

// option<result<result<incoming-response, error-code>>>
type futureResult struct {
	isSome  uint8
	_       [7]byte
	isError uint8
	_       [7]byte
	result  handleResult
}

var (
	sent     handleResult
	received futureResult
)

func (c *errorCode) handle() int32 { return int32(*(*uint32)(unsafe.Pointer(c))) }

// take reads the error and releases the call that returned it.
func (c errorCode) take() error {
	held := given()
	text := "unknown error"
	if int(c.kind) < len(errorCodes) {
		text = errorCodes[c.kind]
	}
	if c.kind == internalError && c.isSome&0xff == 1 {
		text = copied(c.list, c.length)
	}
	release(held)
	return errors.New(text)
}

// Send begins a request; its body is to follow.
func Send(method, scheme, authority, target string, headers *HeaderList) (*Call, *Output, error) {
	fields, err := headers.Fields()
	if err != nil {
		return nil, nil, err
	}
	request := newRequest(fields)
	kind, other := int32(len(methods)), method
	for i, known := range methods {
		if known == method {
			kind, other = int32(i), ""
		}
	}
	schemeKind := int32(0)
	if scheme == "https" {
		schemeKind = 1
	}
	refused := setMethod(request, kind, bytesOf(other), uint32(len(other))) |
		setScheme(request, 1, schemeKind, nil, 0) |
		setAuthority(request, 1, bytesOf(authority), uint32(len(authority))) |
		setTarget(request, 1, bytesOf(target), uint32(len(target)))
	if refused != 0 {
		dropOutgoingRequest(request)
		return nil, nil, errors.New("the request's method or URL is not allowed")
	}
	output := openOutput(request, outgoingRequestBody)
	handle(request, 0, 0, unsafe.Pointer(&sent))
	if sent.isError != 0 {
		err := sent.code.take()
		output.Abort()
		return nil, nil, err
	}
	return &Call{future: sent.code.handle()}, output, nil
}

// Response waits for the head of the response and gives its handle.
func (c *Call) Response() (int32, error) {
	for {
		if c.isClosed {
			return 0, ErrClosed
		}
		futureGet(c.future, unsafe.Pointer(&received))
		if received.isSome != 0 {
			break
		}
		c.waiter.Wait(subscribeFuture, c.future)
	}
	if received.isError != 0 {
		return 0, ErrClosed
	}
	if received.result.isError != 0 {
		return 0, received.result.code.take()
	}
	return received.result.code.handle(), nil
}

// Close gives the request up.
func (c *Call) Close() {
	if c.isClosed {
		return
	}
	c.isClosed = true
	c.waiter.Close()
	dropFuture(c.future)
}

func bytesOf(text string) unsafe.Pointer {
	return unsafe.Pointer(unsafe.StringData(text))
}

//go:wasmimport wasi:http/types@0.2.10 [constructor]outgoing-request
//go:noescape
func newRequest(fields int32) int32

//go:wasmimport wasi:http/types@0.2.10 [method]outgoing-request.set-method
//go:noescape
func setMethod(request, kind int32, text unsafe.Pointer, length uint32) int32

//go:wasmimport wasi:http/types@0.2.10 [method]outgoing-request.set-scheme
//go:noescape
func setScheme(request, isSome, kind int32, text unsafe.Pointer, length uint32) int32

//go:wasmimport wasi:http/types@0.2.10 [method]outgoing-request.set-authority
//go:noescape
func setAuthority(request, isSome int32, text unsafe.Pointer, length uint32) int32

//go:wasmimport wasi:http/types@0.2.10 [method]outgoing-request.set-path-with-query
//go:noescape
func setTarget(request, isSome int32, text unsafe.Pointer, length uint32) int32

//go:wasmimport wasi:http/types@0.2.10 [method]outgoing-request.body
//go:noescape
func outgoingRequestBody(request int32, result unsafe.Pointer)

//go:wasmimport wasi:http/types@0.2.10 [resource-drop]outgoing-request
//go:noescape
func dropOutgoingRequest(request int32)

//go:wasmimport wasi:http/outgoing-handler@0.2.10 handle
//go:noescape
func handle(request, hasOptions, options int32, result unsafe.Pointer)

//go:wasmimport wasi:http/types@0.2.10 [method]future-incoming-response.subscribe
//go:noescape
func subscribeFuture(future int32) int32

//go:wasmimport wasi:http/types@0.2.10 [method]future-incoming-response.get
//go:noescape
func futureGet(future int32, result unsafe.Pointer)

//go:wasmimport wasi:http/types@0.2.10 [resource-drop]future-incoming-response
//go:noescape
func dropFuture(future int32)
