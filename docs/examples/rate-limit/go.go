package main

import (
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

func main() {
	for tries := 0; tries < 5; tries++ {
		response := ask()
		if response.StatusCode == http.StatusTooManyRequests {
			response.Body.Close()
			seconds, _ := strconv.Atoi(response.Header.Get("Retry-After"))
			time.Sleep(time.Duration(seconds) * time.Second)
			continue
		}
		defer response.Body.Close()
		var answer struct {
			Data struct{ Response string }
		}
		if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
			log.Fatal(err)
		}
		fmt.Println(answer.Data.Response)
		return
	}
	log.Fatal("still refused")
}

func ask() *http.Response {
	body := strings.NewReader(`{"message": "Hello there"}`)
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
	return response
}
