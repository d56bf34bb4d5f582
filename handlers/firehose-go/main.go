// Firehose data transformation: Apache access-log lines in, JSON lines out; through AWS's client
// for Go.
package main

import (
	"encoding/base64"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-lambda-go/lambda"
)

// Not the client's own type of the event: that decodes the data, and then one record that is no
// base64 would fail all of them.
type record struct {
	RecordID string `json:"recordId"`
	Data     string `json:"data"`
}

type event struct {
	Records []record `json:"records"`
}

type answer struct {
	RecordID string `json:"recordId"`
	Result   string `json:"result"`
	Data     string `json:"data"`
}

type reply struct {
	Records []answer `json:"records"`
}

func handler(in event) (reply, error) {
	out := reply{Records: make([]answer, 0, len(in.Records))}
	for _, r := range in.Records {
		out.Records = append(out.Records, transform(r))
	}
	return out, nil
}

// Firehose wants every record back, under its own id and in its place.
func transform(r record) answer {
	e, ok := parseData(r.Data)
	if !ok {
		return answer{r.RecordID, "ProcessingFailed", r.Data}
	}
	if e.isHealthCheck() {
		return answer{r.RecordID, "Dropped", r.Data}
	}
	return answer{r.RecordID, "Ok", base64.StdEncoding.EncodeToString(e.jsonLine())}
}

func parseData(data string) (entry, bool) {
	if strings.ContainsAny(data, "\r\n") { // which the decoder passes over
		return entry{}, false
	}
	bytes, err := base64.StdEncoding.DecodeString(data)
	if err != nil || !utf8.Valid(bytes) {
		return entry{}, false
	}
	line := string(bytes)
	if strings.HasSuffix(line, "\n") {
		line = strings.TrimSuffix(line[:len(line)-1], "\r")
	}
	return parse(line)
}

func main() { lambda.Start(handler) }
