"""Send one email to one recipient and say what became of it.

    EmailRefused      for good: this recipient or this message, and nothing else, is refused
    EmailNotSent      for now: the mail server is away, busy, or refuses us; try again later

smtplib raises OSErrors for both, so callers that retry them would repeat what was refused.
"""

import smtplib

from django.core.mail import send_mail


class EmailRefused(Exception):
    """The server will never take this email, or there is no such address."""


class EmailNotSent(Exception):
    """The server did not take the email this time."""


def send_email(to: str, *, subject: str, text: str, html: str) -> None:
    """Send an email. Raises EmailRefused or EmailNotSent; both say why, for logs."""
    try:
        send_mail(_one_line(subject), text, None, [to], html_message=html)
    except smtplib.SMTPRecipientsRefused as error:
        code, reason = next(iter(error.recipients.values()))
        raise _failure(code)(_describe(code, reason)) from None
    except smtplib.SMTPSenderRefused as error:  # a fault of ours, the same for every recipient
        raise EmailNotSent(_describe(error.smtp_code, error.smtp_error)) from None
    except smtplib.SMTPDataError as error:
        raise _failure(error.smtp_code)(_describe(error.smtp_code, error.smtp_error)) from None
    except ValueError as error:  # an address that cannot be written in a header or as a domain
        raise EmailRefused(f"Invalid address: {error}") from None
    except OSError as error:
        raise EmailNotSent(f"{type(error).__name__}: {error}") from None


def _one_line(subject: str) -> str:
    """A line break in a name must not start another header."""
    return " ".join(subject.split())


def _failure(code: int) -> type[Exception]:
    return EmailRefused if 500 <= code < 600 else EmailNotSent


def _describe(code: int, reason: bytes | str) -> str:
    text = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else reason
    return f"{code} {text}"
