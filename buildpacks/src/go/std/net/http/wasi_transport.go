// How a Transport's requests leave a component.

//go:build wasip1

package http

import (
	"context"
	"errors"
	"fmt"
	"internal/wasi"
	"io"
	"strconv"
	"strings"
)

// wasiRoundTrip asks the host.
func (t *Transport) wasiRoundTrip(req *Request) (*Response, error) {
	if req.URL == nil || req.Header == nil {
		wasiCloseBody(req)
		return nil, errors.New("http: Request.URL and Request.Header must not be nil")
	}
	if other := t.alternateRoundTripper(req); other != nil {
		return other.RoundTrip(req)
	}
	if (req.URL.Scheme != "http" && req.URL.Scheme != "https") || req.URL.Host == "" {
		wasiCloseBody(req)
		return nil, badStringError("unsupported protocol scheme or no host in request URL", req.URL.String())
	}
	if t.TLSClientConfig != nil && (len(t.TLSClientConfig.Certificates) > 0 || t.TLSClientConfig.GetClientCertificate != nil) {
		wasiCloseBody(req)
		return nil, errors.New("http: client certificates are not available: the platform speaks TLS for the app")
	}
	method, target := req.Method, req.URL.RequestURI()
	if method == "" {
		method = "GET"
	}
	authority := req.URL.Host
	headers := wasiRequestHeaders(req)
	call, output, err := wasi.Send(method, req.URL.Scheme, authority, target, headers)
	if err != nil {
		wasiCloseBody(req)
		return nil, fmt.Errorf("%s %s: %w", method, authority, err)
	}
	stop := context.AfterFunc(req.Context(), call.Close)
	if req.Body == nil || req.Body == NoBody {
		output.Finish()
	} else {
		go wasiSendBody(req, output)
	}
	response, err := call.Response()
	call.Close()
	if !stop() && err != nil {
		err = context.Cause(req.Context())
	}
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, authority, err)
	}
	return wasiReceived(req, response)
}

func wasiCloseBody(req *Request) {
	if req.Body != nil {
		req.Body.Close()
	}
}

func wasiRequestHeaders(req *Request) *wasi.HeaderList {
	list := new(wasi.HeaderList)
	for name, values := range req.Header {
		if !wasiForbidden[CanonicalHeaderKey(name)] {
			for _, value := range values {
				list.Add(name, value)
			}
		}
	}
	if _, has := req.Header["User-Agent"]; !has {
		list.Add("User-Agent", defaultUserAgent)
	}
	if length := req.outgoingLength(); length > 0 || (length == 0 && (req.Method == "POST" || req.Method == "PUT" || req.Method == "PATCH")) {
		list.Add("Content-Length", strconv.FormatInt(length, 10))
	}
	return list
}

func wasiSendBody(req *Request, output *wasi.Output) {
	defer req.Body.Close()
	// Who answers early does not want the rest; the answer tells.
	if _, err := io.Copy(output, req.Body); err != nil {
		output.Abort()
		return
	}
	output.Finish()
}

func wasiReceived(req *Request, handle int32) (*Response, error) {
	response := &Response{
		StatusCode:    int(wasi.ResponseStatus(handle)),
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        make(Header),
		ContentLength: -1,
		Request:       req,
	}
	response.Status = strings.TrimSpace(strconv.Itoa(response.StatusCode) + " " + StatusText(response.StatusCode))
	wasi.Headers(wasi.ResponseHeaders(handle), func(name, value string) {
		key := CanonicalHeaderKey(name)
		response.Header[key] = append(response.Header[key], value)
	})
	if length, err := strconv.ParseInt(response.Header.Get("Content-Length"), 10, 64); err == nil {
		response.ContentLength = length
	}
	body, err := wasi.ResponseBody(handle)
	if err != nil {
		return nil, err
	}
	if req.Method == "HEAD" || !bodyAllowedForStatus(response.StatusCode) {
		body.Close()
		response.Body = NoBody
		return response, nil
	}
	received := &wasiReceivedBody{ctx: req.Context(), body: body}
	received.stop = context.AfterFunc(req.Context(), body.Close)
	response.Body = received
	return response, nil
}

type wasiReceivedBody struct {
	ctx  context.Context
	body *wasi.Body
	stop func() bool
}

func (b *wasiReceivedBody) Read(into []byte) (int, error) {
	count, err := b.body.Read(into)
	if err == wasi.ErrClosed {
		if err = context.Cause(b.ctx); err == nil {
			err = errors.New("http: read on closed response body")
		}
	}
	return count, err
}

func (b *wasiReceivedBody) Close() error {
	b.stop()
	b.body.Close()
	return nil
}
