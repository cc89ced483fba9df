import os

import requests

answer = requests.put(
    "https://parley.example/api/v1/chatbots/CHATBOT_ID/knowledge-bases",
    headers={"Authorization": f"Bearer {os.environ['PARLEY_API_KEY']}"},
    json={"knowledgeBaseIds": ["KNOWLEDGE_BASE_ID"]},
    timeout=60,
)
answer.raise_for_status()
for base in answer.json()["data"]["knowledgeBases"]:
    print(base["name"])
