// Tells what AWS's client for Go makes known of an invocation, and does what an event asks for:
// {"do": "describe"}, {"do": "log", "text": ...}, {"do": "fail", "text": ...}, {"do": "stream",
// "parts": [...]}, which sends the parts one by one and with "fail_with" fails after the last, or {"do":
// "meet", "number": ..., "of": ...}, which ends when invocations with the numbers from 0 to below "of" are
// under way in its environment. Of any other event it answers the same. CONTEXT_FAILS_IN_INIT makes the
// start fail.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"
)

type wish struct {
	Do       string   `json:"do"`
	Text     string   `json:"text"`
	Parts    []string `json:"parts"`
	FailWith string   `json:"fail_with"`
	Number   int      `json:"number"`
	Of       int      `json:"of"`
}

type wishError struct{ text string }

func (e wishError) Error() string { return e.text }

type description struct {
	RequestID          string            `json:"request_id"`
	FunctionName       string            `json:"function_name"`
	FunctionVersion    string            `json:"function_version"`
	InvokedFunctionArn string            `json:"invoked_function_arn"`
	MemoryLimitMB      int               `json:"memory_limit_mb"`
	LogGroup           string            `json:"log_group"`
	LogStream          string            `json:"log_stream"`
	RemainingMs        int64             `json:"remaining_ms"`
	TenantID           *string           `json:"tenant_id"`
	Custom             map[string]string `json:"custom"`
	TraceID            any               `json:"trace_id"`
}

func handler(ctx context.Context, event json.RawMessage) (any, error) {
	var w wish
	if err := json.Unmarshal(event, &w); err != nil {
		return nil, err
	}
	switch w.Do {
	case "describe":
		return describe(ctx)
	case "log":
		fmt.Println("printed:", w.Text)
		log.Println("logged:", w.Text)
	case "fail":
		return nil, wishError{w.Text}
	case "stream":
		return stream(w), nil
	case "meet":
		return event, meet(w)
	}
	return event, nil
}

func meet(w wish) error {
	if err := os.WriteFile(fmt.Sprintf("/tmp/met-%d", w.Number), nil, 0o600); err != nil {
		return err
	}
	for other := 0; other < w.Of; {
		if _, err := os.Stat(fmt.Sprintf("/tmp/met-%d", other)); err == nil {
			other++
		} else {
			time.Sleep(5 * time.Millisecond)
		}
	}
	return nil
}

func describe(ctx context.Context) (description, error) {
	known, ok := lambdacontext.FromContext(ctx)
	deadline, limited := ctx.Deadline()
	if !ok || !limited {
		return description{}, errors.New("the client makes no context known")
	}
	d := description{
		RequestID:          known.AwsRequestID,
		FunctionName:       lambdacontext.FunctionName,
		FunctionVersion:    lambdacontext.FunctionVersion,
		InvokedFunctionArn: known.InvokedFunctionArn,
		MemoryLimitMB:      lambdacontext.MemoryLimitInMB,
		LogGroup:           lambdacontext.LogGroupName,
		LogStream:          lambdacontext.LogStreamName,
		RemainingMs:        time.Until(deadline).Milliseconds(),
		Custom:             known.ClientContext.Custom,
		TraceID:            ctx.Value("x-amzn-trace-id"),
	}
	if known.TenantID != "" {
		d.TenantID = &known.TenantID
	}
	return d, nil
}

// The client sends what it reads, as it comes; an error after the first byte ends the stream as such.
func stream(w wish) io.Reader {
	reader, writer := io.Pipe()
	go func() {
		for _, part := range w.Parts {
			if _, err := io.WriteString(writer, part); err != nil {
				return // nobody reads any more
			}
		}
		if w.FailWith != "" {
			writer.CloseWithError(wishError{w.FailWith})
			return
		}
		writer.Close()
	}()
	return reader
}

func main() {
	if os.Getenv("CONTEXT_FAILS_IN_INIT") != "" {
		panic("asked to fail before the first event")
	}
	lambda.Start(handler)
}
