"""The price of a reply in whole credits, rounded up."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Price:
    """Credits per reply, plus credits per 1,000 input and output tokens."""

    per_reply: int
    per_1k_input: int = 0
    per_1k_output: int = 0

    def credits_for(self, *, input_tokens: int, output_tokens: int) -> int:
        """Return the credits that a reply costs.

        Input and output tokens are added up and then rounded up once: 1 input and 1 output token at
        one credit per 1,000 each cost one credit together, not two.
        """
        thousandths = input_tokens * self.per_1k_input + output_tokens * self.per_1k_output
        return self.per_reply + -(-thousandths // 1000)

    def __str__(self) -> str:
        """Return, for example, "2 a reply, 1 per 1,000 tokens in, 3 out"."""
        parts = [f"{self.per_reply:,} a reply"] if self.per_reply else []
        inward, outward = f"{self.per_1k_input:,}", f"{self.per_1k_output:,}"
        if self.per_1k_input and self.per_1k_output:
            parts.append(f"{inward} per 1,000 tokens in, {outward} out")
        elif self.per_1k_input:
            parts.append(f"{inward} per 1,000 tokens in")
        elif self.per_1k_output:
            parts.append(f"{outward} per 1,000 tokens out")
        return ", ".join(parts) or "free"
