import json
import os

import requests

with requests.get(
    "https://parley.example/api/v1/chatbots/CHATBOT_ID/turns/TURN_ID/stream",
    headers={
        "Authorization": f"Bearer {os.environ['PARLEY_API_KEY']}",
        "Last-Event-ID": "2",
    },
    stream=True,
    timeout=60,
) as answer:
    answer.raise_for_status()
    for line in answer.iter_lines():
        if not line.startswith(b"data: {"):
            continue
        event = json.loads(line.removeprefix(b"data: "))
        if event["type"] == "message.delta":
            print(event["delta"], end="", flush=True)
        if event["type"] == "error":
            raise RuntimeError(event["error"])
