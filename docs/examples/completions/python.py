import os

import requests

answer = requests.post(
    "https://parley.example/api/v1/openai/chat/completions",
    headers={"Authorization": f"Bearer {os.environ['PARLEY_API_KEY']}"},
    json={
        "model": "CHATBOT_ID",
        "messages": [{"role": "user", "content": "Hello there"}],
    },
    timeout=60,
)
answer.raise_for_status()
print(answer.json()["choices"][0]["message"]["content"])
