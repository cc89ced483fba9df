"""The WebSocket of a chatbot."""
