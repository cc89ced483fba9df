curl https://parley.example/api/v1/webhook-endpoints \
  -H "Authorization: Bearer $PARLEY_API_KEY" \
  -H "Content-Type: application/json" \
  -d '{"url": "https://hooks.example.com/parley", "eventTypes": ["message.completed", "turn.failed"]}'
