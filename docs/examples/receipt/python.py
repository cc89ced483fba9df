import os

import requests

answer = requests.get(
    "https://parley.example/api/v1/chatbots/CHATBOT_ID/turns/TURN_ID",
    headers={"Authorization": f"Bearer {os.environ['PARLEY_API_KEY']}"},
    timeout=60,
)
answer.raise_for_status()
print(answer.json()["data"]["status"])
