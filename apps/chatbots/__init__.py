"""Chatbots and the catalogue of language models that they use."""
