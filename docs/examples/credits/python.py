import os

import requests

answer = requests.get(
    "https://parley.example/api/v1/credits",
    headers={"Authorization": f"Bearer {os.environ['PARLEY_API_KEY']}"},
    timeout=60,
)
answer.raise_for_status()
print(answer.json()["data"]["balance"])
