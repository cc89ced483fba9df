from __future__ import annotations

import pytest

from apps.leads.contact_formats import normalize_email, normalize_phone


@pytest.mark.parametrize(
    ("text", "email"),
    [
        (" Jane.Doe@Example.COM ", "jane.doe@example.com"),
        ("a+b@xn--bcher-kva.example", "a+b@bücher.example"),
        ("JÖRG@MÜNCHEN.example", "jörg@münchen.example"),
    ],
)
def test_email_is_normalised(text: str, email: str) -> None:
    assert (normalize_email(text), normalize_email(email)) == (email, email)


@pytest.mark.parametrize("text", ["", "x", "a@b", "a@@b.com", "a@localhost", "a\0@b.com"])
def test_invalid_email_is_rejected_with_a_message(text: str) -> None:
    with pytest.raises(ValueError, match=r"^This is not an email address: .+\.$"):
        normalize_email(text)


@pytest.mark.parametrize(
    ("text", "phone"),
    [
        ("+44 20 7946 0958", "+442079460958"),
        ("+44 (0)20 7946 0958", "+442079460958"),
        ("tel:+1-202-555-0143", "+12025550143"),
        ("+٩٦٦ ٥١ ٢٣٤ ٥٦٧٩", "+966512345679"),
    ],
)
def test_phone_is_normalised(text: str, phone: str) -> None:
    assert (normalize_phone(text), normalize_phone(phone)) == (phone, phone)


WITHOUT_COUNTRY = "Give the phone number with its country's code, such as +44 20 7946 0958."


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("020 7946 0958", WITHOUT_COUNTRY),
        ("hello", WITHOUT_COUNTRY),
        ("+44 20 7946 0958 ext. 3", "Give the phone number without an extension."),
        ("+44 123", "There is no such phone number in that country."),
        ("+" + "1" * 60, "This is too long for a phone number."),
    ],
)
def test_invalid_phone_is_rejected_with_a_message(text: str, sentence: str) -> None:
    with pytest.raises(ValueError) as refused:
        normalize_phone(text)
    assert str(refused.value) == sentence
