"""The shapes of chatbots, their versions and language models on the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field

from apps.api_kit.schemas import (
    ACCEPT_WHOLE_FLOAT,
    Id,
    RequestSchema,
    ResponseSchema,
    StorableText,
    single_line_field,
)
from apps.chatbots.models import DEFAULT_PROMPT, MAX_PROMPT, Chatbot, ChatbotVersion, LanguageModel
from apps.chatbots.services import SETTINGS
from apps.core.text import single_line

Name = Annotated[str, AfterValidator(single_line(120)), single_line_field(120)]
Prompt = Annotated[StorableText, Field(max_length=MAX_PROMPT)]
Temperature = Annotated[float, Field(ge=0, le=2)]
ReplyTokens = Annotated[int, Field(ge=1, le=100_000), ACCEPT_WHOLE_FLOAT]
HistoryLimit = Annotated[int, Field(ge=0, le=200), ACCEPT_WHOLE_FLOAT]
Requests = Annotated[int, Field(ge=1, le=10_000), ACCEPT_WHOLE_FLOAT]
WindowSeconds = Annotated[int, Field(ge=1, le=86_400), ACCEPT_WHOLE_FLOAT]
ChosenModel = Annotated[
    Id,
    Field(
        description="The id of a language model that can be chosen, as the catalogue lists it. "
        "Another id is a value that is not valid: `VALIDATION_ERROR`."
    ),
]
Capture = Literal["off", "detect", "ask"]


class NewChatbot(RequestSchema):
    """A chatbot to create."""

    name: Name
    language_model_id: ChosenModel
    system_prompt: Prompt = DEFAULT_PROMPT
    temperature: Temperature = 0.7
    max_reply_tokens: ReplyTokens = 512
    history_limit: HistoryLimit = 20
    rate_limit_requests: Requests = 60
    rate_limit_window_seconds: WindowSeconds = 60
    stream_by_default: bool = False
    lead_capture: Capture = "off"
    is_active: bool = True


class ChatbotChanges(RequestSchema):
    """What to change: fields that are absent stay as they are; null is no value."""

    # Factories: a field may be absent, while null is no value for it.
    name: Name = Field(default_factory=str)
    language_model_id: ChosenModel = Field(default_factory=str)
    system_prompt: Prompt = Field(default_factory=str)
    temperature: Temperature = Field(default_factory=float)
    max_reply_tokens: ReplyTokens = Field(default_factory=int)
    history_limit: HistoryLimit = Field(default_factory=int)
    rate_limit_requests: Requests = Field(default_factory=int)
    rate_limit_window_seconds: WindowSeconds = Field(default_factory=int)
    stream_by_default: bool = Field(default_factory=bool)
    lead_capture: Capture = Field(default_factory=lambda: "off")
    is_active: bool = Field(default_factory=bool)


class ChatbotSettings(ResponseSchema):
    """What a chatbot is, or was, set to."""

    name: str
    language_model_id: str
    system_prompt: str
    temperature: float
    max_reply_tokens: int
    history_limit: int
    rate_limit_requests: int
    rate_limit_window_seconds: int
    stream_by_default: bool
    lead_capture: Capture
    is_active: bool


class ChatbotOut(ChatbotSettings):
    """A chatbot. `version` is the number of its newest version."""

    id: str
    version: int
    created_at: datetime

    @classmethod
    def of(cls, chatbot: Chatbot) -> Self:
        return cls(
            id=chatbot.id,
            version=chatbot.version,
            created_at=chatbot.created_at,
            **{name: getattr(chatbot, name) for name in SETTINGS},
        )


class ChatbotPage(ResponseSchema):
    chatbots: list[ChatbotOut]
    next_cursor: str | None


class VersionBy(ResponseSchema):
    """Whose hand it was. `label` is an email address, or an API key's name and what is shown."""

    kind: Literal["person", "api_key", "staff", "system"]
    label: str


class VersionOut(ResponseSchema):
    """A change of a chatbot: who, when, which fields, and all settings as they were after it."""

    id: str
    number: int
    changed: list[str]
    changed_by: VersionBy
    settings: ChatbotSettings
    created_at: datetime

    @classmethod
    def of(cls, version: ChatbotVersion) -> Self:
        return cls(
            id=version.id,
            number=version.number,
            changed=[_on_the_wire(name) for name in version.changed],
            changed_by=VersionBy(kind=version.actor_kind, label=version.actor_label),  # type: ignore[arg-type]
            settings=_settings(version.snapshot),
            created_at=version.created_at,
        )


class VersionPage(ResponseSchema):
    versions: list[VersionOut]
    next_cursor: str | None


class PriceOut(ResponseSchema):
    """Credits for a reply, and for each 1,000 tokens read and written."""

    per_reply: int
    per_thousand_input_tokens: int
    per_thousand_output_tokens: int


class LanguageModelOut(ResponseSchema):
    """A language model that a chatbot can speak through, and what its replies cost."""

    id: str
    name: str
    description: str
    context_tokens: int
    supports_streaming: bool
    price: PriceOut

    @classmethod
    def of(cls, model: LanguageModel) -> Self:
        price = model.price
        return cls(
            id=model.id,
            name=model.name,
            description=model.description,
            context_tokens=model.context_tokens,
            supports_streaming=model.supports_streaming,
            price=PriceOut(
                per_reply=price.per_reply,
                per_thousand_input_tokens=price.per_1k_input,
                per_thousand_output_tokens=price.per_1k_output,
            ),
        )


class LanguageModelPage(ResponseSchema):
    language_models: list[LanguageModelOut]
    next_cursor: str | None


def _on_the_wire(name: str) -> str:
    return ChatbotSettings.model_fields[name].alias or name


def _settings(snapshot: dict[str, Any]) -> ChatbotSettings:
    return ChatbotSettings(**{name: snapshot[name] for name in SETTINGS})
