from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from apps.api_keys.errors import InvalidApiKey, MissingAuthHeader
from apps.api_keys.models import ApiKey
from apps.api_keys.queries import authenticate_key, parse_bearer_token
from apps.api_keys.services import issue_key, revoke_key
from apps.api_kit.callers import Caller, Scope, ScopeMissing
from tests.factories import Team

UNKNOWN = "sk-workspace_" + "a" * 51


def test_authenticate_key_returns_caller(team: Team) -> None:
    issue_key(workspace=team.other_workspace, name="n")
    key, secret = issue_key(workspace=team.workspace, name="n", scopes=["chat", "read"])
    assert authenticate_key(secret) == Caller(
        team.workspace.id,
        key.id,
        frozenset({"chat", "read"}),
        last_used_at=None,
        label=f"n (sk-workspace_{key.shown_prefix[13:]}…{key.last4})",
        rate_limit_per_hour=1000,
    )


@pytest.mark.parametrize(
    "secret",
    [
        UNKNOWN,
        "",
        " ",
        "sk-workspace_",
        "sk-workspace_short",
        "sk-live_" + "a" * 51,
        "sk-workspace_" + "a" * 10_000_000,
        "sk-workspace_" + "ä" * 51,
        "sk-workspace_" + "\ud800" * 51,
        "sk-workspace_\x00" + "a" * 50,
        "' OR 1=1 --",
        "\udcff\udcfe",
        "🔑" * 16,
    ],
)
def test_authenticate_key_refuses_unknown_key(team: Team, secret: str) -> None:
    issue_key(workspace=team.workspace, name="n")
    with pytest.raises(InvalidApiKey):
        authenticate_key(secret)


def test_authenticate_key_compares_exactly(team: Team) -> None:
    _, secret = issue_key(workspace=team.workspace, name="n")
    for other in (secret.swapcase(), secret + "a", secret[:-1], f" {secret}", secret + "\n"):
        with pytest.raises(InvalidApiKey):
            authenticate_key(other)


def test_authenticate_key_refuses_digest(team: Team) -> None:
    key, _ = issue_key(workspace=team.workspace, name="n")
    with pytest.raises(InvalidApiKey):
        authenticate_key(key.digest)


def test_authenticate_key_refuses_revoked_key(team: Team) -> None:
    key, secret = issue_key(workspace=team.workspace, name="n")
    authenticate_key(secret)
    revoke_key(key=key)
    with pytest.raises(InvalidApiKey):
        authenticate_key(secret)


def test_authenticate_key_refuses_expired_key(team: Team) -> None:
    later = timezone.now() + timedelta(hours=1)
    key, secret = issue_key(workspace=team.workspace, name="n", expires_at=later)
    assert authenticate_key(secret).api_key_id == key.id
    ApiKey.objects.filter(pk=key.pk).update(expires_at=timezone.now())
    with pytest.raises(InvalidApiKey):
        authenticate_key(secret)


def test_refused_keys_get_the_same_error_with_one_query(
    team: Team, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    revoked, revoked_secret = issue_key(workspace=team.workspace, name="n")
    revoke_key(key=revoked)
    expired, expired_secret = issue_key(workspace=team.workspace, name="n")
    ApiKey.objects.filter(pk=expired.pk).update(expires_at=timezone.now())
    answers = []
    for secret in (UNKNOWN, "malformed", revoked_secret, expired_secret):
        with django_assert_num_queries(1), pytest.raises(InvalidApiKey) as caught:
            authenticate_key(secret)
        answers.append((caught.value.status, caught.value.body(), caught.value.headers()))
    assert answers == [answers[0]] * 4


@pytest.mark.parametrize("others", [0, 2])
def test_authenticate_key_costs_one_query(
    team: Team, others: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    _, secret = issue_key(workspace=team.workspace, name="n")
    for _ in range(others):
        issue_key(workspace=team.workspace, name="n")
    with django_assert_num_queries(1):
        authenticate_key(secret)


def test_require_accepts_scope(team: Team) -> None:
    _, secret = issue_key(workspace=team.workspace, name="n", scopes=[Scope.READ])
    authenticate_key(secret).require(Scope.READ)


@pytest.mark.parametrize("scope", [Scope.CHAT, Scope.MANAGE])
def test_require_names_missing_scope(team: Team, scope: Scope) -> None:
    _, secret = issue_key(workspace=team.workspace, name="n", scopes=[Scope.READ])
    with pytest.raises(ScopeMissing) as caught:
        authenticate_key(secret).require(scope)
    assert caught.value.body() == {
        "success": False,
        "error": f"This API key may not do this: it lacks the scope “{scope.value}”.",
        "code": "SCOPE_MISSING",
    }


@pytest.mark.parametrize(("seconds", "due"), [(0, False), (60, False), (61, True)])
def test_last_used_is_outdated_after_a_minute(seconds: int, due: bool) -> None:
    now = timezone.now()
    caller = Caller("w", "k", frozenset(), now - timedelta(seconds=seconds))
    assert caller.is_last_used_outdated(now) is due


def test_last_used_is_outdated_for_unused_key() -> None:
    assert Caller("w", "k", frozenset(), None).is_last_used_outdated(timezone.now()) is True


@pytest.mark.parametrize(
    ("header", "secret"),
    [
        ("Bearer abc", "abc"),
        ("bearer abc", "abc"),
        ("BEARER   abc  ", "abc"),
        ("Bearer a b", "a b"),
        ("Bearer ", ""),
        ("Bearer", ""),
    ],
)
def test_parse_bearer_token_returns_token(header: str, secret: str) -> None:
    assert parse_bearer_token(header) == secret


@pytest.mark.parametrize("header", ["Basic abc", "abc", UNKNOWN, " Bearer abc", "Bearer\tabc"])
def test_parse_bearer_token_refuses_other_schemes(header: str) -> None:
    with pytest.raises(InvalidApiKey):
        parse_bearer_token(header)


@pytest.mark.parametrize("header", [None, ""])
def test_parse_bearer_token_requires_header(header: str | None) -> None:
    with pytest.raises(MissingAuthHeader):
        parse_bearer_token(header)
