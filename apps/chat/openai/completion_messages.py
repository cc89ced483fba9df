"""Parse the messages of OpenAI's chat completions: the question and the history before it.

OpenAI's rules by role, for text. The model is shown what has words in it: messages that are empty
are left out, and so are calls of tools and their results, because a chatbot has no tools.

    system, developer, user   content: text, or parts of the type text
    assistant                 the same, or null or absent; parts of the type refusal; `refusal`,
                              which counts where there is no content; tool_calls, function_call
    tool, function            the result of an earlier message's call: content
"""

from collections.abc import Mapping, Sequence
from typing import Any

from apps.core.errors import ValidationFailed
from apps.core.text import is_encodable, printable_name
from apps.llm.types import ChatMessage, Role

Body = Mapping[str, Any]

_ROLES: dict[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
}
_CALLED_BY = {"tool": "tool_call_id", "function": "name"}
"""What names the call in a message with its result, by the message's role."""
_PART_FIELDS = {"text": "text", "refusal": "refusal"}
"""The text of a part, by the part's type."""


def parse_messages(value: Any) -> tuple[tuple[ChatMessage, ...], str]:
    """The history with its empty messages left out, and the question, which may be empty.

    Raises ValidationFailed, with the position of what it refuses.
    """
    if not isinstance(value, list) or not value:
        raise ValidationFailed({"messages": ["Send a list of messages."]})
    calls: set[str] = set()
    messages = [_message(message, f"messages[{at}]", calls) for at, message in enumerate(value)]
    last = messages[-1]
    if last is None or last.role != "user":
        raise ValidationFailed({"messages": ["The last message must be the user's."]})
    history = [message for message in messages[:-1] if message and message.content.strip()]
    return tuple(history), last.content


def _message(value: Any, name: str, calls: set[str]) -> ChatMessage | None:
    """The message; None for the result of a tool. `calls`: what earlier messages called, by id or
    name, to which a result must belong; the calls of this message are added."""
    if not isinstance(value, Mapping):
        raise ValidationFailed({name: ["This must be an object."]})
    role = value.get("role")
    if not isinstance(role, str) or role not in (*_ROLES, *_CALLED_BY):
        problem = "This must be system, developer, user, assistant or tool."
        raise ValidationFailed({f"{name}.role": [problem]})
    _optional_text(value, "name", name)
    if value.get("audio") not in (None, []):
        raise ValidationFailed({f"{name}.audio": ["A message can have text only."]})
    if role == "assistant":
        calls |= _called(value, name)
        return ChatMessage("assistant", _assistant_text(value, name))
    for field in ("tool_calls", "function_call"):
        if value.get(field) not in (None, []):
            raise ValidationFailed({f"{name}.{field}": ["Only the assistant calls tools."]})
    text = _content(value.get("content"), f"{name}.content", ("text",))
    if role in _ROLES:
        return ChatMessage(_ROLES[role], text)
    called = value.get(_CALLED_BY[role])
    if not isinstance(called, str) or called not in calls:
        problem = f"A message of the role {role} must answer a call of an earlier message."
        raise ValidationFailed({f"{name}.role": [problem]})
    return None


def _assistant_text(value: Body, name: str) -> str:
    """The words of the assistant's message, "" if it only calls tools or has none at all."""
    refusal = _optional_text(value, "refusal", name)
    content = value.get("content")
    if content in (None, []):
        return refusal
    return _content(content, f"{name}.content", ("text", "refusal")) or refusal


def _called(value: Body, name: str) -> set[str]:
    """The ids of the assistant's calls of tools, and the name of the function that it calls."""
    calls = value.get("tool_calls")
    if calls is None:
        calls = []
    if not (isinstance(calls, list) and all(map(_is_call, calls))):
        problem = "This must be a list of calls with an id, a type and a function."
        raise ValidationFailed({f"{name}.tool_calls": [problem]})
    call = value.get("function_call")
    if call not in (None, []) and not _is_function(call):
        problem = "This must have a name and arguments, both text."
        raise ValidationFailed({f"{name}.function_call": [problem]})
    return {each["id"] for each in calls} | ({call["name"]} if call else set())


def _is_call(call: Any) -> bool:
    if not isinstance(call, Mapping) or not isinstance(call.get("id"), str):
        return False
    kind = call.get("type")
    if kind == "custom":
        return isinstance(call.get("custom"), Mapping)
    return kind == "function" and _is_function(call.get("function"))


def _is_function(value: Any) -> bool:
    return isinstance(value, Mapping) and all(
        isinstance(value.get(field), str) for field in ("name", "arguments")
    )


def _optional_text(value: Body, field: str, name: str) -> str:
    text = value.get(field)
    if text is None:
        return ""
    if not isinstance(text, str):
        raise ValidationFailed({f"{name}.{field}": [_expected("a string", text)]})
    return _text(text, f"{name}.{field}")


def _content(value: Any, name: str, part_types: Sequence[str]) -> str:
    if isinstance(value, str):
        return _text(value, name)
    if not isinstance(value, list):
        raise ValidationFailed({name: [_expected("a string or a list of parts", value)]})
    if not value:
        raise ValidationFailed({name: ["Expected at least one part, got an empty list."]})
    return "\n".join(_part(part, f"{name}[{at}]", part_types) for at, part in enumerate(value))


def _part(value: Any, name: str, part_types: Sequence[str]) -> str:
    if not isinstance(value, Mapping):
        raise ValidationFailed({name: [_expected("a part of the type text", value)]})
    kind = value.get("type")
    if not isinstance(kind, str) or kind not in part_types:
        shown = printable_name(kind) if isinstance(kind, str) else "null"
        problem = f"A message can have text only, not a part of the type {shown}."
        raise ValidationFailed({name: [problem]})
    text = value.get(_PART_FIELDS[kind])
    if not isinstance(text, str):
        raise ValidationFailed({name: [_expected(f"{_PART_FIELDS[kind]} as a string", text)]})
    return _text(text, name)


def _text(value: str, name: str) -> str:
    if not is_encodable(value):
        problem = "This has half a surrogate pair in it, which no model can be shown."
        raise ValidationFailed({name: [problem]})
    return value


_JSON_TYPES = {
    type(None): "null",
    bool: "a boolean",
    int: "a number",
    float: "a number",
    str: "a string",
    list: "a list",
}


def _expected(what: str, value: Any) -> str:
    return f"Expected {what}, got {_JSON_TYPES.get(type(value), 'an object')}."
