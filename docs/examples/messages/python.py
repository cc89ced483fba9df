import os

import requests

cursor = None
while True:
    answer = requests.get(
        "https://parley.example/api/v1/conversations/CONVERSATION_ID/messages",
        headers={"Authorization": f"Bearer {os.environ['PARLEY_API_KEY']}"},
        params={"limit": 100, "cursor": cursor},
        timeout=60,
    )
    answer.raise_for_status()
    page = answer.json()["data"]
    for message in page["messages"]:
        print(f"{message['role']}: {message['text']}")
    cursor = page["nextCursor"]
    if cursor is None:
        break
