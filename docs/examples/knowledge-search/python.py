import os

import requests

answer = requests.post(
    "https://parley.example/api/v1/knowledge-bases/KNOWLEDGE_BASE_ID/search",
    headers={"Authorization": f"Bearer {os.environ['PARLEY_API_KEY']}"},
    json={"query": "When do you ship?"},
    timeout=60,
)
answer.raise_for_status()
for result in answer.json()["data"]["results"]:
    print(result["text"])
