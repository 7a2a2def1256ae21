//go:build wasip1

package http

import (
	"bufio"
	"internal/wasi"
	"io"
	"net"
	"strconv"
	"time"
)

// What is written before the head must go: a small answer goes with its length and in one piece.
const wasiBuffer = 4 << 10

// The answer to a request.
type wasiResponse struct {
	outparam int32
	req      *Request
	header   Header
	// The header as it was when the status was written, if the handler asked for it afterwards.
	fixed   Header
	status  int
	pending []byte
	written int64
	// Bytes that Content-Length promises, or -1.
	length  int64
	output  *wasi.Output
	isSent  bool
	isEnded bool
	failed  error
}

var _ interface {
	ResponseWriter
	Flusher
	Hijacker
	CloseNotifier
	io.StringWriter
} = (*wasiResponse)(nil)

func (w *wasiResponse) Header() Header {
	if w.status != 0 && !w.isSent && w.fixed == nil {
		w.fixed = w.header.Clone()
	}
	return w.header
}

func (w *wasiResponse) WriteHeader(status int) {
	if w.status != 0 || w.isEnded {
		w.logf("http: superfluous response.WriteHeader call")
		return
	}
	checkWriteHeaderCode(status)
	if status >= 100 && status < 200 && status != StatusSwitchingProtocols {
		// wasi:http 0.2 has no way for informational answers.
		return
	}
	w.status = status
	w.length = -1
	if text := w.header.Get("Content-Length"); text != "" {
		length, err := strconv.ParseInt(text, 10, 64)
		if err != nil || length < 0 {
			w.logf("http: invalid Content-Length of %q", text)
			w.header.Del("Content-Length")
		} else {
			w.length = length
		}
	}
}

func (w *wasiResponse) logf(format string, args ...any) {
	if server, ok := w.req.Context().Value(ServerContextKey).(*Server); ok {
		server.logf(format, args...)
	}
}

func (w *wasiResponse) Write(bytes []byte) (int, error) { return w.write(bytes, "") }

func (w *wasiResponse) WriteString(text string) (int, error) { return w.write(nil, text) }

func (w *wasiResponse) write(bytes []byte, text string) (int, error) {
	count := len(bytes) + len(text)
	if w.isEnded {
		return 0, ErrHandlerTimeout
	}
	if w.status == 0 {
		w.WriteHeader(StatusOK)
	}
	if count == 0 {
		return 0, nil
	}
	if !bodyAllowedForStatus(w.status) {
		return 0, ErrBodyNotAllowed
	}
	w.written += int64(count)
	if w.length >= 0 && w.written > w.length {
		return 0, ErrContentLength
	}
	if w.failed != nil {
		return 0, w.failed
	}
	if len(w.pending)+count <= wasiBuffer {
		w.pending = append(append(w.pending, bytes...), text...)
		return count, nil
	}
	if text != "" {
		bytes = []byte(text)
	}
	w.send(bytes, false)
	if w.req.Method != "HEAD" {
		w.put(w.pending)
		w.put(bytes)
	}
	w.pending = w.pending[:0]
	if w.failed != nil {
		return 0, w.failed
	}
	return count, nil
}

func (w *wasiResponse) put(bytes []byte) {
	if w.failed == nil && len(bytes) > 0 {
		_, w.failed = w.output.Write(bytes)
	}
}

// send sends the head; next is what will be written after what is pending.
func (w *wasiResponse) send(next []byte, isWhole bool) {
	if w.isSent {
		return
	}
	w.isSent = true
	header := w.header
	if w.fixed != nil {
		header = w.fixed
	}
	list := wasiHeaderLists.get()
	for name, values := range header {
		if wasiForbidden[name] || (len(values) > 0 && len(name) > len(TrailerPrefix) && name[:len(TrailerPrefix)] == TrailerPrefix) {
			continue
		}
		for _, value := range values {
			list.Add(name, headerNewlineToSpace.Replace(value))
		}
	}
	if bodyAllowedForStatus(w.status) {
		if _, has := header["Content-Type"]; !has && (len(w.pending) > 0 || len(next) > 0) && header.Get("Content-Encoding") == "" {
			sample := w.pending
			if len(sample) == 0 {
				sample = next
			}
			list.Add("Content-Type", DetectContentType(sample))
		}
		if isWhole && w.length < 0 && (w.req.Method != "HEAD" || len(w.pending) > 0) {
			list.Add("Content-Length", strconv.Itoa(len(w.pending)))
		}
	}
	w.output, w.failed = wasi.Respond(w.outparam, w.status, list)
	wasiHeaderLists.put(list)
	if w.failed != nil {
		w.logf("http: the answer's head was refused: %v", w.failed)
		wasi.Fail(w.outparam, w.failed.Error())
	}
}

// Flush sends what was written so far.
func (w *wasiResponse) Flush() { w.FlushError() }

func (w *wasiResponse) FlushError() error {
	if w.isEnded {
		return ErrHandlerTimeout
	}
	if w.status == 0 {
		w.WriteHeader(StatusOK)
	}
	w.send(nil, false)
	if w.req.Method != "HEAD" {
		w.put(w.pending)
	}
	w.pending = w.pending[:0]
	if w.failed == nil {
		w.failed = w.output.Flush()
	}
	return w.failed
}

func (w *wasiResponse) finish() {
	if w.status == 0 {
		w.WriteHeader(StatusOK)
	}
	w.send(nil, true)
	if w.req.Method != "HEAD" {
		w.put(w.pending)
	}
	w.isEnded = true
	if w.output == nil {
		return
	}
	if w.failed == nil && (w.length < 0 || w.written == w.length || w.req.Method == "HEAD") {
		w.output.Finish()
	} else {
		w.output.Abort()
	}
}

// abort breaks the answer off, so that the client sees that it is not whole.
func (w *wasiResponse) abort() {
	w.isEnded = true
	if w.output != nil {
		w.output.Abort()
	} else if !w.isSent {
		w.isSent = true
		wasi.Fail(w.outparam, "the handler panicked")
	}
}

// Hijack is refused: there is no connection below the request.
func (w *wasiResponse) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return nil, nil, ErrNotSupported
}

// CloseNotify gives a channel that never says anything: a client that left is met at the next write.
func (w *wasiResponse) CloseNotify() <-chan bool { return make(chan bool) }

// SetReadDeadline and SetWriteDeadline have no effect: the platform limits a request's time.
func (w *wasiResponse) SetReadDeadline(time.Time) error { return nil }

func (w *wasiResponse) SetWriteDeadline(time.Time) error { return nil }

// EnableFullDuplex has no effect: a body may always be read while the answer is written.
func (w *wasiResponse) EnableFullDuplex() error { return nil }

// Headers of one connection, which wasi:http leaves to the platform.
var wasiForbidden = map[string]bool{
	"Connection": true, "Keep-Alive": true, "Proxy-Authenticate": true, "Proxy-Authorization": true, "Proxy-Connection": true,
	"Transfer-Encoding": true, "Upgrade": true, "Host": true, "Http2-Settings": true, "Te": true, "Trailer": true,
}

// Lists that are used again; no other goroutine runs between get and put.
type wasiLists []*wasi.HeaderList

var wasiHeaderLists wasiLists

func (l *wasiLists) get() *wasi.HeaderList {
	if last := len(*l) - 1; last >= 0 {
		list := (*l)[last]
		*l = (*l)[:last]
		return list
	}
	return new(wasi.HeaderList)
}

func (l *wasiLists) put(list *wasi.HeaderList) {
	list.Reset()
	*l = append(*l, list)
}
