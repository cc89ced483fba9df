"""Parsers of request bodies, for Django REST framework and for ninja: the same grammar."""

from typing import Any, cast

from django.http import HttpRequest
from ninja.parser import Parser
from ninja.types import DictStrAny
from rest_framework.parsers import BaseParser

from apps.core.json_parsing import parse_json


class JsonParser(BaseParser):
    """Parse a body sent as application/json. Raises ValidationFailed."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
        return parse_json(stream.read())


class NinjaJsonParser(Parser):
    """Parse any body as JSON. Raises ValidationFailed."""

    def parse_body(self, request: HttpRequest) -> DictStrAny:
        return cast(DictStrAny, parse_json(request.body))
