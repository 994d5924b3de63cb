// Command serve serves /www over HTTP by net/http, in as many ways as a Go program does it:
// serve MODE PORT.
package main

import (
	"io"
	"log"
	"net/http"
	"os"
	"path/filepath"
)

// hiding wraps the writer as middleware often does: an embedded interface has the methods of
// http.ResponseWriter and no other, so that io.Copy finds no ReadFrom.
type hiding struct{ http.ResponseWriter }

// passing is the same with the one method that middleware must pass on.
type passing struct{ http.ResponseWriter }

func (w passing) ReadFrom(from io.Reader) (int64, error) {
	return io.Copy(w.ResponseWriter, from)
}

// serve is the function that a flame graph must name, so it stays one.
//
//go:noinline
func serve(w http.ResponseWriter, r *http.Request) {
	http.ServeFile(w, r, filepath.Join("/www", filepath.Clean("/"+r.URL.Path)))
}

func main() {
	modes := map[string]http.HandlerFunc{
		"servefile": serve,
		"hiding":    func(w http.ResponseWriter, r *http.Request) { serve(hiding{w}, r) },
		"passing":   func(w http.ResponseWriter, r *http.Request) { serve(passing{w}, r) },
	}
	mode, known := modes[os.Args[1]]
	if !known {
		log.Fatalf("%s is no mode", os.Args[1])
	}
	log.Fatal(http.ListenAndServe(":"+os.Args[2], mode))
}
