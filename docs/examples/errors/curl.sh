curl --include https://parley.example/api/v1/chatbots/CHATBOT_ID/chat \
  -H "Authorization: Bearer $PARLEY_API_KEY" \
  -H "Content-Type: application/json" \
  -d '{"message": ""}'
