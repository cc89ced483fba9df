"""Structured logs: one event per line, with request, workspace and turn ids.

Logs never contain an API key, a link that resets a password or joins a workspace, or a message's
text. Nothing logs them on purpose; as a safeguard, `redact` masks whatever looks like one, and cuts
the details that PostgreSQL adds to an error, because they quote the row. Whatever callers send is
cut, too: one line cannot fill the disk.
"""

import logging
import logging.config
import re
from typing import Any

import structlog

from apps.infrastructure.outage_logging import OutageFilter

_KEY = re.compile(r"sk-workspace_[0-9A-Za-z]+")
# A quoted row may have several lines: all is cut up to the next exception of the traceback.
_ROW = re.compile(
    r"^(DETAIL|CONTEXT|QUERY|STATEMENT|HINT): .*?(?=\n\n(?:The above|During handling of)|\Z)",
    re.MULTILINE | re.DOTALL,
)
_SECRET_PATH = re.compile(
    r"((?:/|%2F)(?:password(?:/|%2F)reset|verify-email|invitations)(?:/|%2F))"
    r"(?!(?:sent|done)(?:[\s\"'<>?/]|\Z))[^\s\"'<>]+",
    re.IGNORECASE,
)
"""Addresses that end in a secret: it resets a password, verifies an address or joins a workspace. A
test finds addresses of the URL conf that belong here."""


MAX_TEXT_LENGTH = 1000
_MAX_LENGTHS = {"event": 4000, "exception": 50_000}


def redact(_logger: object, _method: str, event: dict[str, Any]) -> dict[str, Any]:
    """Mask keys and quoted rows in all text of an event, and cut what is long."""
    return {
        name: _cut(_clean(value), _MAX_LENGTHS.get(name, MAX_TEXT_LENGTH))
        for name, value in event.items()
    }


def _cut(value: object, length: int) -> object:
    if isinstance(value, str):
        return value if len(value) <= length else f"{value[:length]}… ({len(value)} characters)"
    if isinstance(value, dict):
        return {name: _cut(inner, length) for name, inner in value.items()}
    if isinstance(value, list):
        return [_cut(inner, length) for inner in value]
    return value


def _clean(value: object) -> object:
    if isinstance(value, str):
        value = _ROW.sub(r"\1: (left out)", _KEY.sub("sk-workspace_***", value))
        return mask_secret_paths(value) if "/" in value or "%2" in value else value
    if isinstance(value, dict):
        return {name: _clean(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_clean(inner) for inner in value]
    if value is None or isinstance(value, (bool, int, float)):
        return value
    return _clean(str(value))


def mask_secret_paths(text: str) -> str:
    """Replace the secrets in addresses by ***, also in quoted and encoded ones."""
    return _SECRET_PATH.sub(r"\1***", text)


def has_secret_path(path: str) -> bool:
    """Whether a path ends in a secret."""
    return _SECRET_PATH.match(path) is not None


def configure_logging(*, style: str, level: str) -> None:
    """Write structlog's and the standard library's events to standard error in one format.

    `style`: "json" for machines, "console" for people.
    """
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(allow=[]),
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: Any = (
        structlog.dev.ConsoleRenderer(colors=False)
        if style == "console"
        else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    formatter = {
        "()": structlog.stdlib.ProcessorFormatter,
        "foreign_pre_chain": shared,
        "processors": [
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            redact,
            renderer,
        ],
    }
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"structured": formatter},
            "filters": {"outages": {"()": OutageFilter}},
            "handlers": {
                "stderr": {
                    "class": "logging.StreamHandler",
                    "formatter": "structured",
                    "filters": ["outages"],
                }
            },
            "root": {"handlers": ["stderr"], "level": level},
            "loggers": {
                "django.server": {"level": "WARNING"},
                # Each request is logged once, by `web.middleware`, with its ids.
                "django.request": {"level": "ERROR"},
                "httpx": {"level": "WARNING"},
            },
        }
    )


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """Return a structured logger with the module's name."""
    logger: structlog.stdlib.BoundLogger = structlog.get_logger(name)
    return logger
