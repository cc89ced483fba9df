curl https://parley.example/api/v1/chatbots/CHATBOT_ID/leads \
  -H "Authorization: Bearer $PARLEY_API_KEY" \
  -H "Content-Type: application/json" \
  -d '{"name": "Ana Lima", "email": "ana@example.com"}'
