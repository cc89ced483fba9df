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
	body := strings.NewReader(`{"knowledgeBaseIds": ["KNOWLEDGE_BASE_ID"]}`)
	request, err := http.NewRequest("PUT", "https://parley.example/api/v1/chatbots/CHATBOT_ID/knowledge-bases", body)
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
		Data struct{ KnowledgeBases []struct{ Name string } }
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		log.Fatal(err)
	}
	for _, base := range answer.Data.KnowledgeBases {
		fmt.Println(base.Name)
	}
}
