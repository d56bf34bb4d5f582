// An ordinary web server of Go's net/http; it knows nothing of Lambda.
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"os"
	"strconv"
	"strings"
)

func ready(writer http.ResponseWriter, _ *http.Request) {
	fmt.Fprint(writer, "ready")
}

func create(writer http.ResponseWriter, request *http.Request) {
	var order any
	if err := json.NewDecoder(request.Body).Decode(&order); err != nil {
		http.Error(writer, err.Error(), http.StatusBadRequest)
		return
	}
	writer.Header().Set("Content-Type", "application/json")
	writer.Header().Set("X-Framework", "net/http")
	writer.WriteHeader(http.StatusCreated)
	json.NewEncoder(writer).Encode(map[string]any{
		"id":     request.PathValue("id"),
		"colour": request.URL.Query().Get("colour"),
		"order":  order,
	})
}

// As many pieces of one mebibyte as are asked for, each sent when it is made.
func stream(writer http.ResponseWriter, request *http.Request) {
	pieces, err := strconv.Atoi(request.PathValue("pieces"))
	if err != nil {
		http.Error(writer, err.Error(), http.StatusBadRequest)
		return
	}
	writer.Header().Set("Content-Type", "text/plain")
	piece := strings.Repeat("x", 1<<20)
	for range pieces {
		fmt.Fprint(writer, piece)
		writer.(http.Flusher).Flush()
	}
	fmt.Fprint(writer, "end")
}

func main() {
	http.HandleFunc("GET /{$}", ready)
	http.HandleFunc("POST /orders/{id}", create)
	http.HandleFunc("GET /stream/{pieces}", stream)
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Getenv("AWS_LWA_PORT"), nil))
}
