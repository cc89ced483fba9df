"""The OpenAPI operations and schemas of every chat endpoint."""

from apps.api_kit.openapi import Schema
from apps.chat.http import openapi as http
from apps.chat.openai import completion_openapi as completions


def paths() -> dict[str, Schema]:
    """The operations by path below `/api/v1/`: every URL of `apps.chat.urls`."""
    return {**http.paths(), **completions.paths(http.KEY, http.TURN)}


def schemas() -> dict[str, Schema]:
    """The component schemas that the operations refer to."""
    return {**http.schemas(), **completions.SCHEMAS}
