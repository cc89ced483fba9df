curl https://parley.example/api/v1/chatbots/CHATBOT_ID/turns/TURN_ID \
  -H "Authorization: Bearer $PARLEY_API_KEY"
