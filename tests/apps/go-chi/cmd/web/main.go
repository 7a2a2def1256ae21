// The web process: a chi router.
package main

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"example.com/go-chi/internal/shop"
	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
)

func main() {
	name := flag.String("name", "nobody", "who greets")
	flag.Parse()
	var count atomic.Int64
	router := chi.NewRouter()
	router.Use(middleware.Logger, middleware.Recoverer)
	router.Get("/", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "Hello from %s on Virga\n", *name)
	})
	router.Get("/env/{name}", func(w http.ResponseWriter, r *http.Request) {
		value, found := os.LookupEnv(chi.URLParam(r, "name"))
		if !found {
			http.NotFound(w, r)
			return
		}
		fmt.Fprint(w, value)
	})
	router.Post("/echo", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", r.Header.Get("Content-Type"))
		w.Write(body)
	})
	router.Get("/stream", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for number := range 5 {
			fmt.Fprintf(w, "data: %d\n\n", number)
			http.NewResponseController(w).Flush()
			time.Sleep(50 * time.Millisecond)
		}
	})
	router.Get("/random", func(w http.ResponseWriter, r *http.Request) {
		bytes := make([]byte, 16)
		rand.Read(bytes)
		fmt.Fprintln(w, hex.EncodeToString(bytes))
	})
	router.Get("/count", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, count.Add(1))
	})
	router.Get("/orders", func(w http.ResponseWriter, r *http.Request) {
		json.NewEncoder(w).Encode(shop.Orders)
	})
	server := &http.Server{Addr: ":" + os.Getenv("PORT"), Handler: router}
	log.Fatal(server.ListenAndServe())
}
