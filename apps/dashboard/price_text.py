"""Prices and amounts of credits as text."""

from apps.chatbots.models import EmbeddingModel
from apps.credits.prices import Price


def describe_price(price: Price) -> str:
    """The price of a reply, such as `2 credits per reply`, or `free`."""
    *others, last = price_parts(price) or ["free"]
    return f"{', '.join(others)} and {last}" if others else last


def price_parts(price: Price) -> list[str]:
    """The price's parts, such as `["2 credits per reply", "1 credit per 1,000 input tokens"]`."""
    parts = [
        (price.per_reply, "per reply"),
        (price.per_1k_input, "per 1,000 input tokens"),
        (price.per_1k_output, "per 1,000 output tokens"),
    ]
    return [f"{format_credits(number)} {unit}" for number, unit in parts if number]


def format_credits(number: int) -> str:
    """The number with its unit: `1 credit`, `2,000 credits`."""
    return f"{number:,} credit{'' if number == 1 else 's'}"


def describe_embedding_model(model: EmbeddingModel, *, tokens: int) -> str:
    """The model with its price and, if there are tokens to embed, what they cost.

    Such as `text-embedding-3-small · 2 credits per 1,000 tokens, about 197 credits in all`.
    """
    if not model.credits_per_1k_tokens:
        return f"{model.name} · free"
    text = f"{model.name} · {format_credits(model.credits_per_1k_tokens)} per 1,000 tokens"
    cost = -(-tokens * model.credits_per_1k_tokens // 1000)
    return f"{text}, about {format_credits(cost)} in all" if cost else text
