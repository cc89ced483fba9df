import os

import requests

with open("faq.md", "rb") as file:
    answer = requests.post(
        "https://parley.example/api/v1/knowledge-bases/KNOWLEDGE_BASE_ID/sources",
        headers={"Authorization": f"Bearer {os.environ['PARLEY_API_KEY']}"},
        files={"file": file},
        timeout=300,
    )
answer.raise_for_status()
print(answer.json()["data"]["id"])
