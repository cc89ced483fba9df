import os

import requests

answer = requests.post(
    "https://parley.example/api/v1/knowledge-bases",
    headers={"Authorization": f"Bearer {os.environ['PARLEY_API_KEY']}"},
    json={"name": "Help center"},
    timeout=60,
)
answer.raise_for_status()
print(answer.json()["data"]["id"])
