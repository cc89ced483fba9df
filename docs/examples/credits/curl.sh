curl https://parley.example/api/v1/credits \
  -H "Authorization: Bearer $PARLEY_API_KEY"
