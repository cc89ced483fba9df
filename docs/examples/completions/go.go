package main

import (
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"os"
	"strings"
)

func main() {
	body := strings.NewReader(`{
		"model": "CHATBOT_ID",
		"messages": [{"role": "user", "content": "Hello there"}]
	}`)
	request, err := http.NewRequest("POST", "https://parley.example/api/v1/openai/chat/completions", body)
	if err != nil {
		log.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+os.Getenv("PARLEY_API_KEY"))
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		log.Fatal(err)
	}
	defer response.Body.Close()
	var answer struct {
		Choices []struct {
			Message struct{ Content string }
		}
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		log.Fatal(err)
	}
	if len(answer.Choices) == 0 {
		log.Fatal(response.Status)
	}
	fmt.Println(answer.Choices[0].Message.Content)
}
