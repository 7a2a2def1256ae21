// How a component's requests reach the app's Server: Serve announces it, the host's call finds it.

//go:build wasip1

package http

import (
	"context"
	"fmt"
	"internal/wasi"
	"io"
	"net"
	"net/textproto"
	"net/url"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// How long the program may take until it listens on $PORT, where it listens on another port already.
const wasiPatience = 2 * time.Second

// A Server that listens.
type wasiListening struct {
	server *Server
	ctx    context.Context
	port   string
}

var wasiApp struct {
	sync.Mutex
	started   bool
	returned  bool
	listening []*wasiListening
	// Closed and made anew with every change.
	changed chan struct{}
	// The one that answers requests.
	chosen *wasiListening
}

func wasiChange(change func()) {
	wasiApp.Lock()
	defer wasiApp.Unlock()
	change()
	wasiApp.chosen = nil
	if wasiApp.changed != nil {
		close(wasiApp.changed)
	}
	wasiApp.changed = make(chan struct{})
}

// wasiServe is Serve, until the listener is closed. Nothing connects to the listener.
func wasiServe(s *Server, l net.Listener, ctx context.Context) error {
	_, port, _ := net.SplitHostPort(l.Addr().String())
	own := &wasiListening{s, context.WithValue(ctx, LocalAddrContextKey, l.Addr()), port}
	wasiChange(func() { wasiApp.listening = append(wasiApp.listening, own) })
	defer wasiChange(func() {
		wasiApp.listening = slices.DeleteFunc(wasiApp.listening, func(other *wasiListening) bool { return other == own })
	})
	for {
		connection, err := l.Accept()
		if err != nil && s.shuttingDown() {
			return ErrServerClosed
		}
		if err != nil {
			return err
		}
		connection.Close()
	}
}

// wasiFind gives the server on $PORT, starting the program first and waiting until it listens.
func wasiFind() (*wasiListening, error) {
	if wasiApp.chosen != nil {
		return wasiApp.chosen, nil
	}
	if !wasiApp.started {
		wasiApp.started = true
		wasiApp.changed = make(chan struct{})
		go wasiStart()
	}
	port := os.Getenv("PORT")
	var patience <-chan time.Time
	for {
		wasiApp.Lock()
		changed, others := wasiApp.changed, []string{}
		for _, one := range wasiApp.listening {
			if one.port == port || port == "" {
				wasiApp.chosen = one
			}
			others = append(others, one.port)
		}
		chosen, returned := wasiApp.chosen, wasiApp.returned
		wasiApp.Unlock()
		switch {
		case chosen != nil:
			return chosen, nil
		case returned:
			return nil, fmt.Errorf("main returned without listening on $PORT (%s)", port)
		case len(others) > 0 && patience == nil:
			patience = time.After(wasiPatience)
		}
		select {
		case <-changed:
		case <-patience:
			return nil, fmt.Errorf("the program listens on port %s and not on $PORT (%s)", strings.Join(others, ", "), port)
		}
	}
}

func wasiStart() {
	// The host gives no arguments to who serves; those of the web process stand in the droplet's environment.
	if command := os.Getenv("VIRGA_GO_COMMAND"); command != "" {
		os.Args = strings.Fields(os.ExpandEnv(command))
	}
	wasi.Main()
	wasiChange(func() { wasiApp.returned = true })
}

//go:wasmexport wasi:http/incoming-handler@0.2.10#handle
func wasiHandle(request, outparam int32) {
	app, err := wasiFind()
	if err != nil {
		fmt.Fprintln(os.Stderr, "virga:", err)
		wasi.DropRequest(request)
		wasi.Fail(outparam, err.Error())
		return
	}
	ctx, cancel := context.WithCancel(app.ctx)
	defer cancel()
	req, body, err := wasiRequest(ctx, request)
	if err != nil {
		response := &wasiResponse{outparam: outparam, req: req, header: make(Header)}
		Error(response, "400 Bad Request: "+err.Error(), StatusBadRequest)
		response.finish()
		body.close()
		return
	}
	response := &wasiResponse{outparam: outparam, req: req, header: make(Header)}
	defer body.close()
	if wasiCall(app.server, response, req) {
		response.finish()
	} else {
		response.abort()
	}
}

// wasiCall calls the app's handler; false if it panicked.
func wasiCall(server *Server, response *wasiResponse, req *Request) (isWhole bool) {
	defer func() {
		if isWhole {
			return
		}
		if problem := recover(); problem != nil && problem != ErrAbortHandler {
			stack := make([]byte, 64<<10)
			stack = stack[:runtime.Stack(stack, false)]
			server.logf("http: panic serving %v: %v\n%s", req.RemoteAddr, problem, stack)
		}
	}()
	serverHandler{server}.ServeHTTP(response, req)
	return true
}

// The host tells no address: the one that reaches us is the platform's own router, as behind any proxy.
const wasiRemoteAddr = "127.0.0.1:0"

func wasiRequest(ctx context.Context, request int32) (*Request, *wasiBody, error) {
	req := &Request{
		Method:     wasi.RequestMethod(request),
		RequestURI: wasi.RequestTarget(request),
		Proto:      "HTTP/1.1",
		ProtoMajor: 1,
		ProtoMinor: 1,
		Header:     make(Header),
		Body:       NoBody,
		RemoteAddr: wasiRemoteAddr,
		ctx:        ctx,
	}
	length := int64(-1)
	var problem error
	wasi.Headers(wasi.RequestHeaders(request), func(name, value string) {
		switch name {
		case "host":
			req.Host = value
			return
		case "content-length":
			if parsed, err := strconv.ParseUint(textproto.TrimString(value), 10, 63); err != nil {
				problem = fmt.Errorf("bad Content-Length %q", value)
			} else {
				length = int64(parsed)
			}
		}
		key := CanonicalHeaderKey(name)
		req.Header[key] = append(req.Header[key], value)
	})
	if authority := wasi.RequestAuthority(request); authority != "" {
		req.Host = authority
	}
	body := &wasiBody{request: request, isUnread: true}
	if problem != nil {
		return req, body, problem
	}
	target := req.RequestURI
	if req.Method == "CONNECT" && !strings.HasPrefix(target, "/") {
		target = "http://" + target
	}
	if req.URL, problem = url.ParseRequestURI(target); problem != nil {
		return req, body, problem
	}
	switch {
	case length > 0, length < 0 && req.Method != "GET" && req.Method != "HEAD" && req.Method != "OPTIONS" && req.Method != "TRACE":
		req.ContentLength = length
		req.Body = body
	}
	return req, body, nil
}

// The body of a request; the host is asked for it when it is read first.
type wasiBody struct {
	request  int32
	isUnread bool
	isClosed bool
	opened   *wasi.Body
}

func (b *wasiBody) Read(into []byte) (int, error) {
	if b.isClosed {
		return 0, ErrBodyReadAfterClose
	}
	if b.isUnread {
		b.isUnread = false
		opened, err := wasi.RequestBody(b.request)
		if err != nil {
			return 0, err
		}
		b.opened = opened
	}
	if b.opened == nil {
		return 0, io.ErrUnexpectedEOF
	}
	count, err := b.opened.Read(into)
	if err == wasi.ErrClosed {
		err = ErrBodyReadAfterClose
	}
	return count, err
}

// Close lets go of nothing yet: the handler may close its body and go on.
func (b *wasiBody) Close() error {
	b.isClosed = true
	return nil
}

func (b *wasiBody) close() {
	b.isClosed = true
	if b.opened != nil {
		b.opened.Close()
	} else if b.isUnread {
		wasi.DropRequest(b.request)
	}
	b.isUnread = false
}
