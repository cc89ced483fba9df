curl -X PUT https://parley.example/api/v1/chatbots/CHATBOT_ID/knowledge-bases \
  -H "Authorization: Bearer $PARLEY_API_KEY" \
  -H "Content-Type: application/json" \
  -d '{"knowledgeBaseIds": ["KNOWLEDGE_BASE_ID"]}'
