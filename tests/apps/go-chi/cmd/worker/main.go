// The worker: packs an order now and then. As a task it packs those it is told.
package main

import (
	"flag"
	"fmt"
	"log"
	"time"

	"example.com/go-chi/internal/shop"
)

func main() {
	every := flag.Duration("every", 0, "pause between two orders; 0 packs what is named and ends")
	flag.Parse()
	if *every == 0 {
		fmt.Println("task done", flag.Args())
		return
	}
	for number := 0; ; number++ {
		log.Printf("packed %s", shop.Orders[number%len(shop.Orders)])
		time.Sleep(*every)
	}
}
