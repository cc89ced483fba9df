"""The price of a reply in whole credits, rounded up."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Price:
    """Credits per reply, plus credits per 1,000 input and output tokens."""

    per_reply: int
    per_1k_input: int = 0
    per_1k_output: int = 0

    def credits_for(self, *, input_tokens: int, output_tokens: int, has_reply: bool = True) -> int:
        """Return the price of a reply, or of the tokens alone if there was none.

        Input and output tokens are added up, then rounded up once.
        """
        thousandths = input_tokens * self.per_1k_input + output_tokens * self.per_1k_output
        return (self.per_reply if has_reply else 0) + -(-thousandths // 1000)

    def __str__(self) -> str:
        """Return, for example, "2 per reply, 1 per 1,000 input tokens"."""
        rates = [
            (self.per_reply, "reply"),
            (self.per_1k_input, "1,000 input tokens"),
            (self.per_1k_output, "1,000 output tokens"),
        ]
        return ", ".join(f"{credits:,} per {unit}" for credits, unit in rates if credits) or "Free"
