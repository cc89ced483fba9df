"""The base class of the operators' management commands."""

import json
from argparse import ArgumentParser
from collections.abc import Callable, Mapping
from typing import Any

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.core.management.base import BaseCommand, CommandError

from apps.core.errors import ApiError


class OperatorCommand(BaseCommand):
    """A command whose `run` returns a mapping, printed as lines or, with --json, as a JSON object.

    ApiError, ValidationError and ValueError are printed as one line to standard error, with exit
    code 1.
    """

    requires_system_checks: list[str] = []
    run: Callable[..., Mapping[str, Any]]
    """Called with the options as keyword arguments; returns what to print."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object alone")
        self.add_options(parser)

    def add_options(self, parser: ArgumentParser) -> None:
        """Add the command's own arguments."""

    def handle(self, **options: Any) -> None:
        try:
            result = self.run(**options)
        except ValidationError as error:
            raise CommandError(_one_line(error)) from error
        except (ApiError, ValueError) as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            self.stdout.write(json.dumps(result, default=str))
        else:
            width = max(map(len, result), default=0)
            for name, value in result.items():
                self.stdout.write(f"{name:<{width}}  {value}")


def _one_line(error: ValidationError) -> str:
    """All messages in one line, each with the name of its field if it has one."""
    if not hasattr(error, "error_dict"):
        return " ".join(error.messages)
    return " ".join(
        message if field == NON_FIELD_ERRORS else f"{field}: {message}"
        for field, messages in error.message_dict.items()
        for message in messages
    )
