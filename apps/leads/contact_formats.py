"""Normalise email addresses and phone numbers, for storage and comparison."""

import phonenumbers
from email_validator import EmailNotValidError, validate_email

MAX_EMAIL_LENGTH = 254
_MAX_PHONE_INPUT_LENGTH = 40


def normalize_email(text: str) -> str:
    """Return the address in lower case with its domain in Unicode. Makes no DNS query.

    A mailbox may be case-sensitive in theory, but is not at any common provider, and two leads
    that differ by case are one person. Raises ValueError with a message for the user.
    """
    try:
        email = validate_email(text.strip(), check_deliverability=False).normalized.lower()
    except EmailNotValidError as error:
        reason = str(error)
        raise ValueError(
            f"This is not an email address: {reason[:1].lower()}{reason[1:]}"
        ) from None
    if len(email) > MAX_EMAIL_LENGTH:
        raise ValueError(f"An email address has at most {MAX_EMAIL_LENGTH} characters.")
    return email


def normalize_phone(text: str) -> str:
    """Return the number in E.164, such as +442079460958. It must start with a country code.

    An extension is refused, because E.164 has none. Raises ValueError with a message for the user.
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
