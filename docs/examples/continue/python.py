import os

import requests

answer = requests.post(
    "https://parley.example/api/v1/chatbots/CHATBOT_ID/chat",
    headers={"Authorization": f"Bearer {os.environ['PARLEY_API_KEY']}"},
    json={"message": "And then?", "conversationId": "CONVERSATION_ID"},
    timeout=60,
)
answer.raise_for_status()
print(answer.json()["data"]["response"])
