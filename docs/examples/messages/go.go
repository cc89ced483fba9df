package main

import (
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"net/url"
	"os"
)

func main() {
	query := url.Values{"limit": {"100"}}
	for {
		address := "https://parley.example/api/v1/conversations/CONVERSATION_ID/messages?" + query.Encode()
		request, err := http.NewRequest("GET", address, nil)
		if err != nil {
			log.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+os.Getenv("PARLEY_API_KEY"))
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			log.Fatal(err)
		}
		var answer struct {
			Data struct {
				Messages   []struct{ Role, Text string }
				NextCursor string
			}
		}
		err = json.NewDecoder(response.Body).Decode(&answer)
		response.Body.Close()
		if err != nil {
			log.Fatal(err)
		}
		for _, message := range answer.Data.Messages {
			fmt.Printf("%s: %s\n", message.Role, message.Text)
		}
		if answer.Data.NextCursor == "" {
			return
		}
		query.Set("cursor", answer.Data.NextCursor)
	}
}
