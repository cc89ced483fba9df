import os

import requests

answer = requests.post(
    "https://parley.example/api/v1/webhook-endpoints",
    headers={"Authorization": f"Bearer {os.environ['PARLEY_API_KEY']}"},
    json={
        "url": "https://hooks.example.com/parley",
        "eventTypes": ["message.completed", "turn.failed"],
    },
    timeout=60,
)
answer.raise_for_status()
print(answer.json()["data"]["secret"])
