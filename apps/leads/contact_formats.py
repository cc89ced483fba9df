"""Email addresses and phone numbers in the one form in which they are kept and compared."""

from __future__ import annotations

import phonenumbers
from email_validator import EmailNotValidError, validate_email

MAX_EMAIL_LENGTH = 254
_MAX_PHONE_INPUT_LENGTH = 40


def normalize_email(text: str) -> str:
    """The address in lower case, its domain in Unicode. Nothing is asked of the network.

    In theory a mailbox may tell upper from lower case; no provider that people use does, and two
    leads that differ by it are one person. Raises ValueError with a sentence.
    """
    try:
        email = validate_email(text.strip(), check_deliverability=False).normalized.lower()
    except EmailNotValidError as error:
        raise ValueError(f"This is not an email address: {_lowercase_first(str(error))}") from None
    if len(email) > MAX_EMAIL_LENGTH:
        raise ValueError(f"An email address has at most {MAX_EMAIL_LENGTH} characters.")
    return email


def normalize_phone(text: str) -> str:
    """The number in E.164, such as +442079460958. It must begin with its country's code.

    An extension is refused: E.164 has no place for it. Raises ValueError with a sentence.
    """
    if len(text) > _MAX_PHONE_INPUT_LENGTH:
        raise ValueError("This is too long for a phone number.")
    try:
        number = phonenumbers.parse(text)
    except phonenumbers.NumberParseException:
        raise ValueError(
            "Give the phone number with its country's code, such as +44 20 7946 0958."
        ) from None
    if number.extension:
        raise ValueError("Give the phone number without an extension.")
    if not phonenumbers.is_valid_number(number):
        raise ValueError("There is no such phone number in that country.")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _lowercase_first(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]
