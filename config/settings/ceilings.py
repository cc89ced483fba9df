"""Ceilings of each workspace and person: how much of something they may have at once.

They are generous. They keep one tenant, or a program gone wrong, from filling a server that all
share, and are checked under a lock, so that concurrent requests do not pass them.
"""

import environ

env = environ.Env()

MAX_WORKSPACES_PER_PERSON = env.int("MAX_WORKSPACES_PER_PERSON", default=20)
"""Open workspaces that one person has created, whoever owns them now."""
MAX_MEMBERS = env.int("MAX_MEMBERS", default=200)
"""Members and open invitations of a workspace."""
MAX_API_KEYS = env.int("MAX_API_KEYS", default=100)
"""API keys of a workspace that are neither revoked nor expired."""
MAX_CHATBOTS = env.int("MAX_CHATBOTS", default=200)
MAX_CHATBOT_VERSIONS = env.int("MAX_CHATBOT_VERSIONS", default=200)
"""Versions of a chatbot that are kept: the newest."""

MAX_TURNS_PER_MINUTE = env.int("MAX_TURNS_PER_MINUTE", default=6000)
"""Turns that a workspace may start in any minute, with all its chatbots."""
MAX_CHAT_CHARACTERS_PER_HOUR = env.int("MAX_CHAT_CHARACTERS_PER_HOUR", default=200_000_000)
"""Characters of the messages that a workspace's chatbots get in an hour; they are stored."""
MAX_API_REQUESTS_PER_HOUR = env.int("MAX_API_REQUESTS_PER_HOUR", default=30_000)
"""REST requests of a workspace in an hour, with all its API keys. Chats are not among them."""
MAX_RUNNING_TURNS = env.int("MAX_RUNNING_TURNS", default=500)
"""Turns of a workspace that run at the same time."""
MAX_EXPORTED_BYTES = env.int("MAX_EXPORTED_BYTES", default=10 * 2**30)
"""All files of a workspace's exports together."""
MAX_KNOWLEDGE_BASES = env.int("MAX_KNOWLEDGE_BASES", default=50)
"""Knowledge bases of a workspace."""
MAX_SOURCES = env.int("MAX_SOURCES", default=10_000)
"""Sources of a workspace's knowledge bases."""
MAX_KNOWLEDGE_BYTES = env.int("MAX_KNOWLEDGE_BYTES", default=2 * 2**30)
"""All files together that a workspace has uploaded to its knowledge bases."""
MAX_CHUNKS = env.int("MAX_CHUNKS", default=1_000_000)
"""Passages that a workspace's sources are cut into."""
