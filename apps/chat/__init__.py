"""Chat: one engine that runs turns, and its transports: HTTP, WebSocket, OpenAI, AI SDK."""
