curl https://parley.example/api/v1/conversations/CONVERSATION_ID/messages \
  -H "Authorization: Bearer $PARLEY_API_KEY"
