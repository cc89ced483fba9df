import os

import requests

answer = requests.post(
    "https://parley.example/api/v1/chatbots/CHATBOT_ID/chat",
    headers={"Authorization": f"Bearer {os.environ['PARLEY_API_KEY']}"},
    json={"message": ""},
    timeout=60,
)
body = answer.json()
if not body["success"]:
    print(body["code"], body["error"])
    print(answer.headers["X-Request-Id"])
