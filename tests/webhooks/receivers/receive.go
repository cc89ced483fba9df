// Call the verification function of docs/reference/webhooks.md as a receiver would.
// {secret, headers, body} → {event} or {error}
package main

import (
	"encoding/json"
	"net/http"
	"os"

	"receiver/parley"
)

func main() {
	var given struct {
		Secret  string
		Headers map[string]string
		Body    string
	}
	if err := json.NewDecoder(os.Stdin).Decode(&given); err != nil {
		panic(err)
	}
	headers := http.Header{}
	for name, value := range given.Headers {
		headers.Set(name, value)
	}
	result := map[string]any{}
	if err := parley.Verify(given.Secret, headers, []byte(given.Body)); err != nil {
		result["error"] = err.Error()
	} else {
		result["event"] = json.RawMessage(given.Body)
	}
	if err := json.NewEncoder(os.Stdout).Encode(result); err != nil {
		panic(err)
	}
}
