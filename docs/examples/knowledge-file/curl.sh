curl https://parley.example/api/v1/knowledge-bases/KNOWLEDGE_BASE_ID/sources \
  -H "Authorization: Bearer $PARLEY_API_KEY" \
  -F "file=@faq.md"
