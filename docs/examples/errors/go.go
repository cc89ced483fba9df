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
	body := strings.NewReader(`{"message": ""}`)
	request, err := http.NewRequest("POST", "https://parley.example/api/v1/chatbots/CHATBOT_ID/chat", body)
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
		Success     bool
		Code, Error string
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		log.Fatal(err)
	}
	if !answer.Success {
		fmt.Println(answer.Code, answer.Error)
		fmt.Println(response.Header.Get("X-Request-Id"))
	}
}
