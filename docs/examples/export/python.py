import os

import requests

answer = requests.post(
    "https://parley.example/api/v1/conversation-exports",
    headers={"Authorization": f"Bearer {os.environ['PARLEY_API_KEY']}"},
    json={"format": "csv", "from": "2026-11-01T00:00:00Z"},
    timeout=60,
)
answer.raise_for_status()
print(answer.json()["data"]["id"])
