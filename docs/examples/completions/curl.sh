curl https://parley.example/api/v1/openai/chat/completions \
  -H "Authorization: Bearer $PARLEY_API_KEY" \
  -H "Content-Type: application/json" \
  -d '{"model": "CHATBOT_ID", "messages": [{"role": "user", "content": "Hello there"}]}'
