curl -X POST https://parley.example/api/v1/chatbots/CHATBOT_ID/turns/TURN_ID/stop \
  -H "Authorization: Bearer $PARLEY_API_KEY"
