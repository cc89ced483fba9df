import os

import requests

answer = requests.post(
    "https://parley.example/api/v1/chatbots/CHATBOT_ID/leads",
    headers={"Authorization": f"Bearer {os.environ['PARLEY_API_KEY']}"},
    json={"name": "Ana Lima", "email": "ana@example.com"},
    timeout=60,
)
answer.raise_for_status()
print(answer.json()["data"]["id"])
