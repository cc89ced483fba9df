"""Bodies that are forms with a file (multipart/form-data), for operations that take both.

@router.post(…, auth=ApiKeyAuth(…, accepts_forms=True))
def create_source(request, body: Annotated[CreateSource, …]) …
"""

import hashlib
from typing import Any, TypeVar

from django.core.exceptions import SuspiciousOperation
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest
from django.http.multipartparser import MultiPartParserError
from pydantic import BaseModel, ValidationError

from apps.api_kit.schemas import error_details
from apps.core.errors import ValidationFailed

FormSchema = TypeVar("FormSchema", bound=BaseModel)

FORM_TYPE = "multipart/form-data"
_MALFORMED = "The body is not a valid form."


def is_form(request: HttpRequest) -> bool:
    """Whether the body is a form with files."""
    return request.content_type == FORM_TYPE


def parse_form(request: HttpRequest, schema: type[FormSchema]) -> FormSchema:
    """The fields and files of a form. Raises ValidationFailed."""
    try:
        return schema.model_validate(_form_values(request))
    except ValidationError as invalid:
        details = error_details([dict(error) for error in invalid.errors()])
        raise ValidationFailed(details) from None


def form_digest(request: HttpRequest) -> bytes:
    """A digest of the form's fields and files: the same form sent again has another boundary.

    Raises ValidationFailed.
    """
    _load(request)
    digest = hashlib.sha256()

    def add(value: str | bytes | None) -> None:
        data = value if isinstance(value, bytes) else (value or "").encode("utf-8", "replace")
        digest.update(len(data).to_bytes(8, "big") + data)

    for name, values in sorted(request.POST.lists()):
        for value in values:
            add(name)
            add(value)
    for name in sorted(request.FILES):
        for file in request.FILES.getlist(name):
            add(name)
            add(file.name)
            add(file.content_type)
            add(_file_digest(file))
    return digest.digest()


def _file_digest(file: "UploadedFile[Any]") -> bytes:
    digest = hashlib.sha256()
    for chunk in file.chunks():
        digest.update(chunk)
    file.seek(0)
    return digest.digest()


def _form_values(request: HttpRequest) -> dict[str, Any]:
    """Each name's value or file. Raises ValidationFailed for a name that is there twice."""
    _load(request)
    values: dict[str, Any] = {}
    for form in (request.POST, request.FILES):
        for name in form:
            given: list[Any] = form.getlist(name)
            if len(given) != 1 or name in values:
                raise ValidationFailed({name[:100]: ["Send this once."]})
            values[name] = given[0]
    return values


def _load(request: HttpRequest) -> None:
    """Parse the form. Raises ValidationFailed."""
    try:
        request.POST  # noqa: B018 - parsed when it is first read
    except (MultiPartParserError, SuspiciousOperation):
        raise ValidationFailed(message=_MALFORMED) from None
