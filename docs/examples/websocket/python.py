import json
import os

from websockets.sync.client import connect

with connect(
    "wss://parley.example/ws/v1/chatbots/CHATBOT_ID/chat",
    additional_headers={"Authorization": f"Bearer {os.environ['PARLEY_API_KEY']}"},
) as socket:
    socket.send(json.dumps({"type": "chat.send", "message": "Hello there"}))
    for text in socket:
        event = json.loads(text)
        if event["type"] == "message.delta":
            print(event["delta"], end="", flush=True)
        if event["type"] == "error":
            raise RuntimeError(event["error"])
        if event["type"] == "message.end":
            break
