curl --no-buffer https://parley.example/api/v1/chatbots/CHATBOT_ID/turns/TURN_ID/stream \
  -H "Authorization: Bearer $PARLEY_API_KEY" \
  -H "Last-Event-ID: 2"
