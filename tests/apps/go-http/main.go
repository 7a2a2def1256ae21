// A web app with the standard library alone.
package main

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"time"
)

var count atomic.Int64

func main() {
	if len(os.Args) > 1 && os.Args[1] == "migrate" {
		fmt.Println("task done", strings.Join(os.Args[2:], " "))
		return
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, "Hello from Go on Virga")
	})
	mux.HandleFunc("GET /env/{name}", environment)
	mux.HandleFunc("POST /echo", echo)
	mux.HandleFunc("GET /stream", stream)
	mux.HandleFunc("GET /random", random)
	mux.HandleFunc("GET /count", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, count.Add(1))
	})
	mux.HandleFunc("GET /file", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFile(w, r, "public/page.html")
	})
	mux.HandleFunc("GET /fetch", fetch)
	log.Printf("listening on %s", os.Getenv("PORT"))
	log.Fatal(http.ListenAndServe(":"+os.Getenv("PORT"), logged(mux)))
}

func logged(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		log.Printf("%s %s", r.Method, r.URL.Path)
		next.ServeHTTP(w, r)
	})
}

func environment(w http.ResponseWriter, r *http.Request) {
	value, found := os.LookupEnv(r.PathValue("name"))
	if !found {
		http.NotFound(w, r)
		return
	}
	fmt.Fprint(w, value)
}

func echo(w http.ResponseWriter, r *http.Request) {
	if kind := r.Header.Get("Content-Type"); kind != "" {
		w.Header().Set("Content-Type", kind)
	}
	if _, err := io.Copy(w, r.Body); err != nil {
		log.Print(err)
	}
}

// stream sends a line every 50 ms, from a goroutine of its own.
func stream(w http.ResponseWriter, r *http.Request) {
	lines := make(chan string)
	go func() {
		defer close(lines)
		for i := range 5 {
			lines <- fmt.Sprintf("line %d\n", i)
			time.Sleep(50 * time.Millisecond)
		}
	}()
	w.Header().Set("Content-Type", "text/plain")
	for line := range lines {
		io.WriteString(w, line)
		w.(http.Flusher).Flush()
	}
}

func random(w http.ResponseWriter, r *http.Request) {
	bytes := make([]byte, 16)
	rand.Read(bytes)
	fmt.Fprintln(w, hex.EncodeToString(bytes))
}

// fetch asks another server, named in the query, and passes its answer on.
func fetch(w http.ResponseWriter, r *http.Request) {
	answer, err := http.Get(r.URL.Query().Get("url"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer answer.Body.Close()
	w.WriteHeader(answer.StatusCode)
	io.Copy(w, answer.Body)
}
