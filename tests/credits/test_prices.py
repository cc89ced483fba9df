from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.credits.prices import Price

RATES = st.integers(0, 2**31 - 1)
TOKENS = st.integers(0, 1_000_000)


@pytest.mark.parametrize(
    ("price", "input_tokens", "output_tokens", "credits"),
    [
        (Price(3), 0, 0, 3),
        (Price(3), 5000, 5000, 3),
        (Price(0, 1, 1), 0, 0, 0),
        (Price(0, 1, 1), 1, 1, 1),
        (Price(0, 1, 1), 500, 500, 1),
        (Price(0, 1, 1), 500, 501, 2),
        (Price(0, 1, 0), 1000, 9999, 1),
        (Price(0, 1, 0), 1001, 0, 2),
        (Price(0, 0, 7), 9999, 1000, 7),
        (Price(2, 10, 30), 150, 50, 5),
    ],
)
def test_price_is_rounded_up_once(
    price: Price, input_tokens: int, output_tokens: int, credits: int
) -> None:
    assert price.credits_for(input_tokens=input_tokens, output_tokens=output_tokens) == credits


@given(RATES, RATES, RATES, TOKENS, TOKENS, st.data())
def test_price_of_max_tokens_covers_every_reply(
    reply: int, rate_in: int, rate_out: int, most_in: int, most_out: int, data: st.DataObject
) -> None:
    price = Price(reply, rate_in, rate_out)
    hold = price.credits_for(input_tokens=most_in, output_tokens=most_out)
    used_in = data.draw(st.integers(0, most_in))
    used_out = data.draw(st.integers(0, most_out))
    cost = price.credits_for(input_tokens=used_in, output_tokens=used_out)
    assert reply <= cost <= hold


@given(RATES, RATES, TOKENS, TOKENS)
def test_price_rounds_up_by_less_than_one_credit(
    rate_in: int, rate_out: int, tokens_in: int, tokens_out: int
) -> None:
    cost = Price(0, rate_in, rate_out).credits_for(input_tokens=tokens_in, output_tokens=tokens_out)
    exact = tokens_in * rate_in + tokens_out * rate_out
    assert 0 <= cost * 1000 - exact < 1000


@pytest.mark.parametrize(
    ("price", "words"),
    [
        (Price(2), "2 per reply"),
        (Price(0, 1, 3), "1 per 1,000 input tokens, 3 per 1,000 output tokens"),
        (Price(2000, 1, 0), "2,000 per reply, 1 per 1,000 input tokens"),
        (Price(0, 0, 3), "3 per 1,000 output tokens"),
        (Price(0), "Free"),
    ],
)
def test_price_in_words(price: Price, words: str) -> None:
    assert str(price) == words
