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

func ready(writer http.ResponseWriter, request *http.Request) {
	if request.URL.Path != "/" {
		http.NotFound(writer, request)
		return
	}
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
		"id":     strings.TrimPrefix(request.URL.Path, "/orders/"),
		"colour": request.URL.Query().Get("colour"),
		"order":  order,
	})
}

// As many pieces of one mebibyte as are asked for, each sent when it is made.
func stream(writer http.ResponseWriter, request *http.Request) {
	pieces, err := strconv.Atoi(strings.TrimPrefix(request.URL.Path, "/stream/"))
	if err != nil {
		http.Error(writer, err.Error(), http.StatusBadRequest)
		return
	}
	writer.Header().Set("Content-Type", "text/plain")
	piece := strings.Repeat("x", 1<<20)
	for at := 0; at < pieces; at++ {
		fmt.Fprint(writer, piece)
		writer.(http.Flusher).Flush()
	}
	fmt.Fprint(writer, "end")
}

func main() {
	http.HandleFunc("/", ready)
	http.HandleFunc("/orders/", create)
	http.HandleFunc("/stream/", stream)
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Getenv("AWS_LWA_PORT"), nil))
}
