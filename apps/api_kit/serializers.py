"""Strict DRF serializers: exact types, no unknown fields."""

import functools
from collections.abc import Mapping
from typing import Any

from rest_framework import serializers

from apps.core.text import printable_name


class StrictCharField(serializers.CharField):
    """Accepts only JSON strings."""

    default_error_messages = {"invalid": "This must be a string."}

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return str(super().to_internal_value(data))


class StrictBooleanField(serializers.BooleanField):
    """Accepts only JSON true and false."""

    default_error_messages = {"invalid": "This must be true or false."}

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid")
        return data


class StrictSerializer(serializers.Serializer[Any]):
    """Refuses unknown fields, so that a typo is not ignored."""

    def run_validation(self, data: Any = serializers.empty) -> Any:
        if not isinstance(data, Mapping):
            raise serializers.ValidationError({"body": ["Send a JSON object."]})
        return super().run_validation(data)

    def to_internal_value(self, data: Any) -> Any:
        names = list(data) if isinstance(data, Mapping) else []
        problems: dict[str, Any] = {
            printable_name(name): ["This field is not known here."]
            for name in names
            if name not in self.fields
        }
        try:
            value = super().to_internal_value(data)
        except serializers.ValidationError as error:
            if not isinstance(error.detail, dict):
                raise
            problems |= error.detail
        if problems:
            raise serializers.ValidationError(dict(list(problems.items())[:20]))
        return value


def validate(serializer: type[StrictSerializer], data: Any) -> dict[str, Any]:
    """The validated data. Raises DRF's ValidationError.

    Creating a serializer copies its fields, which takes longer than validating a body. One
    instance of each class is reused for all requests.
    """
    return dict(_serializer_instance(serializer).run_validation(data))


@functools.cache
def _serializer_instance(serializer: type[StrictSerializer]) -> StrictSerializer:
    return serializer()
