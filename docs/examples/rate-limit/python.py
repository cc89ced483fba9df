import os
import time

import requests

for _ in range(5):
    answer = requests.post(
        "https://parley.example/api/v1/chatbots/CHATBOT_ID/chat",
        headers={"Authorization": f"Bearer {os.environ['PARLEY_API_KEY']}"},
        json={"message": "Hello there"},
        timeout=60,
    )
    if answer.status_code != 429:
        break
    time.sleep(int(answer.headers["Retry-After"]))
answer.raise_for_status()
print(answer.json()["data"]["response"])
