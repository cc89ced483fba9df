"""What a turn costs, however it ends."""

from __future__ import annotations

import pytest

from apps.conversations.models import Turn, TurnStatus
from apps.turns.types import Settlement, price_of

COMPLETED, STOPPED = TurnStatus.COMPLETED, TurnStatus.STOPPED
FAILED, ABANDONED = TurnStatus.FAILED, TurnStatus.ABANDONED


def price(status: TurnStatus, text: str, *, hold: int = 1000) -> int:
    """The price of a turn of 10 input and 20 output tokens, at 3 a reply and a credit a token."""
    turn = Turn(
        credits_per_reply=3,
        credits_per_1k_input=1000,
        credits_per_1k_output=1000,
        credits_held=hold,
    )
    return price_of(turn, Settlement(status=status, text=text, input_tokens=10, output_tokens=20))


@pytest.mark.parametrize("status", [COMPLETED, STOPPED, ABANDONED])
def test_delivered_text_is_charged_however_the_turn_ends(status: TurnStatus) -> None:
    assert price(status, "Hello") == 33


@pytest.mark.parametrize(
    ("status", "charged"), [(COMPLETED, 30), (STOPPED, 30), (FAILED, 0), (ABANDONED, 0)]
)
def test_turn_without_text_costs_its_tokens_unless_it_failed(
    status: TurnStatus, charged: int
) -> None:
    assert price(status, "") == charged


@pytest.mark.parametrize("status", TurnStatus)
def test_fixed_reply_is_free(status: TurnStatus) -> None:
    turn = Turn(
        credits_per_reply=3, credits_per_1k_input=0, credits_per_1k_output=0, credits_held=9
    )
    assert price_of(turn, Settlement(status=status, text="Please call us.", is_free=True)) == 0


def test_what_the_provider_failed_is_free() -> None:
    assert price(FAILED, "Half an") == 0


@pytest.mark.parametrize("status", TurnStatus)
def test_price_is_never_above_the_hold(status: TurnStatus) -> None:
    assert price(status, "Hello", hold=5) <= 5


def test_turn_without_usage_costs_the_reply_alone() -> None:
    turn = Turn(
        credits_per_reply=3,
        credits_per_1k_input=1000,
        credits_per_1k_output=1000,
        credits_held=1000,
    )
    assert price_of(turn, Settlement(status=STOPPED, text="Hello")) == 3
