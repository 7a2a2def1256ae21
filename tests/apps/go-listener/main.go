// A web server on a listener that it is given, as under socket activation.
package main

import (
	"bufio"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"time"
)

var count atomic.Int64

func main() {
	if len(os.Args) > 1 && os.Args[1] == "task" {
		fmt.Println("task done", strings.Join(os.Args[2:], " "))
		return
	}
	listener, err := net.FileListener(os.NewFile(3, "listener"))
	if err != nil {
		log.Fatal(err)
	}
	http.HandleFunc("GET /{$}", hello)
	http.HandleFunc("GET /env/{name}", environment)
	http.HandleFunc("POST /echo", echo)
	http.HandleFunc("GET /stream", stream)
	http.HandleFunc("GET /random", random)
	http.HandleFunc("GET /count", counted)
	http.HandleFunc("GET /slow", slow)
	http.HandleFunc("GET /ws", webSocket)
	http.Handle("GET /file/", http.StripPrefix("/file", http.FileServer(http.Dir("/"))))
	log.Fatal(http.Serve(listener, logged(http.DefaultServeMux)))
}

func logged(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Println(r.Method, r.URL.Path)
		next.ServeHTTP(w, r)
	})
}

func hello(w http.ResponseWriter, r *http.Request) {
	fmt.Fprintln(w, "Hello from net/http on Virga")
}

func environment(w http.ResponseWriter, r *http.Request) {
	value, found := os.LookupEnv(r.PathValue("name"))
	if !found {
		http.NotFound(w, r)
		return
	}
	io.WriteString(w, value)
}

func echo(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", r.Header.Get("Content-Type"))
	// An answer that begins before the question has ended needs both directions at once.
	if err := http.NewResponseController(w).EnableFullDuplex(); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	if _, err := io.Copy(w, r.Body); err != nil {
		log.Print(err)
	}
}

func stream(w http.ResponseWriter, r *http.Request) {
	for number := range 5 {
		fmt.Fprintf(w, "chunk %d\n", number)
		w.(http.Flusher).Flush()
		time.Sleep(10 * time.Millisecond)
	}
}

func random(w http.ResponseWriter, r *http.Request) {
	var bytes [16]byte
	rand.Read(bytes[:])
	io.WriteString(w, hex.EncodeToString(bytes[:]))
}

func counted(w http.ResponseWriter, r *http.Request) {
	fmt.Fprint(w, count.Add(1))
}

func slow(w http.ResponseWriter, r *http.Request) {
	time.Sleep(time.Second)
	fmt.Fprintln(w, "slept")
}

// Echoes short text frames until the client closes.
func webSocket(w http.ResponseWriter, r *http.Request) {
	connection, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	defer connection.Close()
	sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	accept := base64.StdEncoding.EncodeToString(sum[:])
	fmt.Fprintf(buffered, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n", accept)
	for err := buffered.Flush(); err == nil; err = buffered.Flush() {
		if !echoFrame(buffered) {
			return
		}
	}
}

func echoFrame(stream *bufio.ReadWriter) bool {
	var head [8]byte
	if _, err := io.ReadFull(stream, head[:2]); err != nil {
		return false
	}
	length := uint64(head[1] & 0x7f)
	if head[0] != 0x81 || length >= 126 {
		return false
	}
	if _, err := io.ReadFull(stream, head[:4]); err != nil {
		return false
	}
	mask := binary.BigEndian.Uint32(head[:4])
	text := make([]byte, length)
	if _, err := io.ReadFull(stream, text); err != nil {
		return false
	}
	for at := range text {
		text[at] ^= byte(mask >> (24 - 8*(at%4)))
	}
	stream.Write([]byte{0x81, byte(length)})
	stream.Write(text)
	return true
}
