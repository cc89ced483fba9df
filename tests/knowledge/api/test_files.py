"""Upload files as sources over REST, and download them."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from apps.core.ids import new_id
from apps.knowledge.models import Source, SourceFile
from apps.knowledge.pipeline.indexing import index_sources
from apps.knowledge.services.sources import MAX_FILE_BYTES
from tests.api_kit.rest_client import Api, Response
from tests.factories import Team, make_chatbot
from tests.knowledge.api.api_helpers import add_text
from tests.knowledge.knowledge_factory import make_knowledge

MARKDOWN = b"# Shipping\n\nWe ship on Mondays."

Files = list[tuple[str, tuple[str | None, bytes, str]]]


def file_part(body: bytes = MARKDOWN, name: str | None = "shipping.md") -> Files:
    return [("file", (name, body, "text/markdown"))]


def encode(files: Files, data: dict[str, str] | None = None) -> httpx.Request:
    """A form, each time with another boundary."""
    return httpx.Request("POST", "http://x", files=files, data=data or {})


def upload(
    api: Api,
    base: dict[str, Any],
    files: Files | None = None,
    data: dict[str, str] | None = None,
    **headers: str,
) -> Response:
    form = encode(file_part() if files is None else files, data)
    return api.send(
        "POST",
        f"/knowledge-bases/{base['id']}/sources",
        form.read(),
        content_type=form.headers["Content-Type"],
        **headers,
    )


def test_file_is_uploaded_and_found(api: Api, base: dict[str, Any]) -> None:
    response = upload(api, base)
    source = json.loads(response.content)["data"]
    assert (response.status_code, source["type"], source["title"], source["status"]) == (
        202,
        "file",
        "shipping.md",
        "pending",
    )
    index_sources(max_seconds=60)
    search = {"query": "When do you ship?"}
    (found,) = api("POST", f"/knowledge-bases/{base['id']}/search", search)["results"]
    assert (found["sourceId"], found["text"]) == (source["id"], "We ship on Mondays.")


def test_title_is_taken_from_the_form(api: Api, base: dict[str, Any]) -> None:
    response = upload(api, base, data={"title": "How we ship", "type": "file"})
    assert json.loads(response.content)["data"]["title"] == "How we ship"


@pytest.mark.parametrize(
    ("files", "data", "field", "message"),
    [
        ([], {"title": "A"}, "file", "This field is required."),
        (file_part(b""), {}, "file", "The file is empty."),
        (file_part(name=None), {}, "file", "Send a file, with the name of the file."),
        (file_part() * 2, {}, "file", "Send this once."),
        (file_part(), {"refreshEvery": "daily"}, "refreshEvery", "This field is not known here."),
        (file_part(), {"title": "\u200b"}, "title", None),
        (file_part(), {"type": "text"}, "type", None),
    ],
)
def test_invalid_form_is_refused(
    api: Api,
    base: dict[str, Any],
    files: Files,
    data: dict[str, str],
    field: str,
    message: str | None,
) -> None:
    form = encode(files, data)
    if not files:  # httpx sends no multipart without a file
        form = encode([("title", (None, b"A", ""))])
    response = api.send(
        "POST",
        f"/knowledge-bases/{base['id']}/sources",
        form.read(),
        content_type=form.headers["Content-Type"],
    )
    details = json.loads(response.content)["details"]
    assert (response.status_code, list(details)) == (400, [field])
    assert message in (None, *details[field])
    assert Source.objects.filter(knowledge_base_id=base["id"]).count() == 0


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=x", b"nothing"),
        ("multipart/form-data; boundary=x", b""),
    ],
)
def test_malformed_form_is_refused(
    api: Api, base: dict[str, Any], content_type: str, body: bytes
) -> None:
    path = f"/knowledge-bases/{base['id']}/sources"
    for headers in ({}, {"idempotency_key": new_id()}):
        response = api.send("POST", path, body, content_type=content_type, **headers)
        assert (response.status_code, json.loads(response.content)["code"]) == (
            400,
            "VALIDATION_ERROR",
        )


def test_other_operations_take_no_form(api: Api, base: dict[str, Any]) -> None:
    form = encode(file_part())
    for path, word in ((f"/knowledge-bases/{base['id']}/search", "JSON"),):
        response = api.send("POST", path, form.read(), content_type=form.headers["Content-Type"])
        assert response.status_code == 415
        assert word in json.loads(response.content)["error"]
    path = f"/knowledge-bases/{base['id']}/sources"
    response = api.send("POST", path, b"type=text", content_type="text/plain")
    assert (response.status_code, "multipart/form-data" in str(response.content)) == (415, True)


def test_file_is_uploaded_once_under_an_idempotency_key(api: Api, base: dict[str, Any]) -> None:
    first, second = (upload(api, base, idempotency_key="one") for _ in "ab")
    assert (first.status_code, first.content) == (202, second.content)
    assert second["Idempotent-Replayed"] == "true"
    others = [
        upload(api, base, file_part(b"# Other"), idempotency_key="one"),
        upload(api, base, file_part(name="other.md"), idempotency_key="one"),
        upload(api, base, data={"title": "Other"}, idempotency_key="one"),
    ]
    assert [each.status_code for each in others] == [409] * 3
    assert SourceFile.objects.filter(source__knowledge_base_id=base["id"]).count() == 1


def test_refused_file_leaves_its_idempotency_key_free(api: Api, base: dict[str, Any]) -> None:
    assert upload(api, base, file_part(b""), idempotency_key="one").status_code == 400
    assert upload(api, base, idempotency_key="one").status_code == 202


def test_file_is_downloaded_to_be_saved(api: Api, base: dict[str, Any]) -> None:
    name = '"<b>\u202eRechnung für Ärger.html'
    source = json.loads(upload(api, base, file_part(name=name)).content)["data"]
    response = api.send("GET", f"/sources/{source['id']}/file")
    assert (response.status_code, response["Content-Type"]) == (200, "application/octet-stream")
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Content-Disposition"].startswith("attachment; filename")
    assert response["Content-Length"] == str(len(MARKDOWN))
    assert "%E2%80%AE" not in response["Content-Disposition"]  # U+202E


def test_source_without_a_file_has_none(api: Api, base: dict[str, Any]) -> None:
    source = add_text(api, base, "We ship on Mondays.")
    path = f"/sources/{source['id']}/file"
    assert api("GET", path, status=404)["code"] == "SOURCE_FILE_NOT_FOUND"


def test_foreign_file_is_absent(api: Api, team: Team) -> None:
    theirs = make_knowledge(make_chatbot(team.other_workspace), text="Theirs")
    assert api("GET", f"/sources/{theirs.id}/file", status=404)["code"] == "SOURCE_NOT_FOUND"
    foreign = {"id": theirs.knowledge_base_id}
    assert json.loads(upload(api, foreign).content)["code"] == "KNOWLEDGE_BASE_NOT_FOUND"


def test_file_over_the_limit_is_refused(api: Api, base: dict[str, Any]) -> None:
    response = upload(api, base, file_part(b"x" * (MAX_FILE_BYTES + 1)))
    assert json.loads(response.content)["details"] == {"file": ["The file is larger than 20 MiB."]}
