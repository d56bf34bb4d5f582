// Answers with the event it was given, through AWS's client for Go. An event with a member
// "fail_with" is answered by an error with that text; ECHO_FAILS_IN_INIT makes the start fail.
package main

import (
	"encoding/json"
	"errors"
	"os"

	"github.com/aws/aws-lambda-go/lambda"
)

func handler(event json.RawMessage) (json.RawMessage, error) {
	var wish struct {
		FailWith string `json:"fail_with"`
	}
	if json.Unmarshal(event, &wish) == nil && wish.FailWith != "" {
		return nil, errors.New(wish.FailWith)
	}
	return event, nil
}

func main() {
	if os.Getenv("ECHO_FAILS_IN_INIT") != "" {
		panic("asked to fail before the first event")
	}
	lambda.Start(handler)
}
