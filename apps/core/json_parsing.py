"""Parse the JSON that callers send: one grammar for all transports."""

import json
from typing import Any, NoReturn

from apps.core.errors import ValidationFailed

_BYTE_ORDER_MARK = "\ufeff"


def parse_json(text: bytes | str, *, name: str = "body") -> Any:
    """Parse a text in UTF-8, with or without a byte order mark. Raises ValidationFailed.

    NaN and Infinity are not JSON. `name`: what the sentence of the error calls the text.
    """
    if isinstance(text, bytes):
        if json.detect_encoding(text) not in ("utf-8", "utf-8-sig"):
            raise ValidationFailed(message=f"The {name} is not UTF-8. Send JSON as UTF-8.")
        try:
            text = text.decode()
        except UnicodeDecodeError:
            raise _invalid(name) from None
    try:
        return json.loads(text.removeprefix(_BYTE_ORDER_MARK), parse_constant=_refuse)
    except RecursionError:
        raise ValidationFailed(message=f"The {name} is nested too deep.") from None
    except ValueError:
        raise _invalid(name) from None


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


def _invalid(name: str) -> ValidationFailed:
    return ValidationFailed(message=f"The {name} is not valid JSON.")
