curl https://parley.example/api/v1/knowledge-bases \
  -H "Authorization: Bearer $PARLEY_API_KEY" \
  -H "Content-Type: application/json" \
  -d '{"name": "Help center"}'
