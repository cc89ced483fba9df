package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"os"
	"strings"
)

func main() {
	request, err := http.NewRequest("GET", "https://parley.example/api/v1/chatbots/CHATBOT_ID/turns/TURN_ID/stream", nil)
	if err != nil {
		log.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+os.Getenv("PARLEY_API_KEY"))
	request.Header.Set("Last-Event-ID", "2")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		log.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		log.Fatal(response.Status)
	}
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		data := strings.TrimPrefix(lines.Text(), "data: ")
		if !strings.HasPrefix(data, "{") {
			continue
		}
		var event struct{ Type, Delta, Error string }
		if err := json.Unmarshal([]byte(data), &event); err != nil {
			log.Fatal(err)
		}
		switch event.Type {
		case "message.delta":
			fmt.Print(event.Delta)
		case "error":
			log.Fatal(event.Error)
		}
	}
}
