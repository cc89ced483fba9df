"""Request and response schemas of chatbots, their versions and language models."""

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field

from apps.api_kit.schemas import (
    ACCEPT_WHOLE_FLOAT,
    Id,
    RequestSchema,
    ResponseSchema,
    StorableText,
    single_line_field,
)
from apps.chatbots.models import (
    DEFAULT_NOT_FOUND_REPLY,
    DEFAULT_PROMPT,
    MAX_NOT_FOUND_REPLY_LENGTH,
    MAX_PROMPT_LENGTH,
    ChatbotVersion,
    LanguageModel,
)
from apps.core.text import single_line

Name = Annotated[str, AfterValidator(single_line(120)), single_line_field(120)]
Prompt = Annotated[StorableText, Field(max_length=MAX_PROMPT_LENGTH)]
Temperature = Annotated[float, Field(ge=0, le=2)]
ReplyTokens = Annotated[int, Field(ge=1, le=100_000), ACCEPT_WHOLE_FLOAT]
HistoryLimit = Annotated[int, Field(ge=0, le=200), ACCEPT_WHOLE_FLOAT]
RequestLimit = Annotated[int, Field(ge=1, le=10_000), ACCEPT_WHOLE_FLOAT]
WindowSeconds = Annotated[int, Field(ge=1, le=86_400), ACCEPT_WHOLE_FLOAT]
LanguageModelId = Annotated[
    Id,
    Field(
        description="The id of a language model that can be chosen, as the catalogue lists it. "
        "Another id is a value that is not valid: `VALIDATION_ERROR`."
    ),
]
LeadCaptureMode = Literal["off", "detect", "ask"]
KnowledgeModeName = Annotated[
    Literal["off", "on", "only"],
    Field(
        description="How the attached knowledge bases are used: not at all, beside what the model "
        "knows, or as the only thing to answer from. Without any it has no effect."
    ),
]
KnowledgePassages = Annotated[int, Field(ge=1, le=20), ACCEPT_WHOLE_FLOAT]
KnowledgeTokens = Annotated[int, Field(ge=100, le=8000), ACCEPT_WHOLE_FLOAT]
NotFoundReply = Annotated[
    str,
    AfterValidator(single_line(MAX_NOT_FOUND_REPLY_LENGTH)),
    single_line_field(MAX_NOT_FOUND_REPLY_LENGTH),
]


class CreateChatbotSchema(RequestSchema):
    """A chatbot to create."""

    name: Name
    language_model_id: LanguageModelId
    system_prompt: Prompt = DEFAULT_PROMPT
    temperature: Temperature = 0.7
    max_reply_tokens: ReplyTokens = 512
    history_limit: HistoryLimit = 20
    rate_limit_requests: RequestLimit = 60
    rate_limit_window_seconds: WindowSeconds = 60
    stream_by_default: bool = False
    lead_capture: LeadCaptureMode = "off"
    knowledge_mode: KnowledgeModeName = "on"
    knowledge_passages: KnowledgePassages = 5
    knowledge_tokens: KnowledgeTokens = 1500
    knowledge_not_found_reply: NotFoundReply = DEFAULT_NOT_FOUND_REPLY
    is_active: bool = True


class UpdateChatbotSchema(RequestSchema):
    """The fields to change. An absent field stays unchanged; null is not accepted."""

    # Default factories make a field optional without accepting null.
    name: Name = Field(default_factory=str)
    language_model_id: LanguageModelId = Field(default_factory=str)
    system_prompt: Prompt = Field(default_factory=str)
    temperature: Temperature = Field(default_factory=float)
    max_reply_tokens: ReplyTokens = Field(default_factory=int)
    history_limit: HistoryLimit = Field(default_factory=int)
    rate_limit_requests: RequestLimit = Field(default_factory=int)
    rate_limit_window_seconds: WindowSeconds = Field(default_factory=int)
    stream_by_default: bool = Field(default_factory=bool)
    lead_capture: LeadCaptureMode = Field(default_factory=lambda: "off")
    knowledge_mode: KnowledgeModeName = Field(default_factory=lambda: "on")
    knowledge_passages: KnowledgePassages = Field(default_factory=int)
    knowledge_tokens: KnowledgeTokens = Field(default_factory=int)
    knowledge_not_found_reply: NotFoundReply = Field(default_factory=str)
    is_active: bool = Field(default_factory=bool)


class ChatbotSettingsSchema(ResponseSchema):
    """The settings of a chatbot."""

    name: str
    language_model_id: str
    system_prompt: str
    temperature: float
    max_reply_tokens: int
    history_limit: int
    rate_limit_requests: int
    rate_limit_window_seconds: int
    stream_by_default: bool
    lead_capture: LeadCaptureMode
    knowledge_mode: Literal["off", "on", "only"] = "on"
    knowledge_passages: int = 5
    knowledge_tokens: int = 1500
    knowledge_not_found_reply: str = DEFAULT_NOT_FOUND_REPLY
    is_active: bool


class ChatbotSchema(ChatbotSettingsSchema):
    """A chatbot. `version` is the number of its newest version."""

    id: str
    version: int
    created_at: datetime


class ChatbotListSchema(ResponseSchema):
    chatbots: list[ChatbotSchema]
    next_cursor: str | None


class VersionAuthorSchema(ResponseSchema):
    """Who made a change. `label` is an email address, or an API key's name and masked secret."""

    kind: Literal["person", "api_key", "staff", "system"]
    label: str


class ChatbotVersionSchema(ResponseSchema):
    """A change of a chatbot: who, when, which fields, and all settings after it."""

    id: str
    number: int
    changed: list[str]
    changed_by: VersionAuthorSchema
    settings: ChatbotSettingsSchema
    created_at: datetime

    @classmethod
    def from_version(cls, version: ChatbotVersion) -> Self:
        fields = ChatbotSettingsSchema.model_fields
        return cls.from_row(
            version,
            changed=[fields[name].alias or name for name in version.changed],
            changed_by=VersionAuthorSchema(kind=version.actor_kind, label=version.actor_label),  # type: ignore[arg-type]
            settings=ChatbotSettingsSchema(
                # A version that is older than a setting shows its default.
                **{name: version.snapshot[name] for name in fields if name in version.snapshot}
            ),
        )


class ChatbotVersionListSchema(ResponseSchema):
    versions: list[ChatbotVersionSchema]
    next_cursor: str | None


class PriceSchema(ResponseSchema):
    """Credits for a reply and for each 1,000 input and output tokens."""

    per_reply: int
    per_thousand_input_tokens: int
    per_thousand_output_tokens: int


class LanguageModelSchema(ResponseSchema):
    """A language model that a chatbot can use, and its price."""

    id: str
    name: str
    description: str
    context_tokens: int
    supports_streaming: bool
    price: PriceSchema

    @classmethod
    def from_language_model(cls, model: LanguageModel) -> Self:
        price = model.price
        return cls.from_row(
            model,
            price=PriceSchema(
                per_reply=price.per_reply,
                per_thousand_input_tokens=price.per_1k_input,
                per_thousand_output_tokens=price.per_1k_output,
            ),
        )


class LanguageModelListSchema(ResponseSchema):
    language_models: list[LanguageModelSchema]
    next_cursor: str | None
