curl https://parley.example/api/v1/conversation-exports \
  -H "Authorization: Bearer $PARLEY_API_KEY" \
  -H "Content-Type: application/json" \
  -d '{"format": "csv", "from": "2026-11-01T00:00:00Z"}'
