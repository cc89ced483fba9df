"""OpenAI's chat completions API, with chatbots as models."""
