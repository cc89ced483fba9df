from __future__ import annotations

import pytest
from django.test import RequestFactory

from apps.api_keys.errors import InvalidApiKey, MissingAuthHeader
from apps.api_keys.models import ApiKey
from apps.api_keys.services import issue_key
from apps.api_kit.authentication import ApiKeyAuth
from apps.api_kit.callers import Scope, ScopeMissing
from tests.factories import Team, make_api_key


def test_key_with_scope_is_admitted_and_marked_used(team: Team) -> None:
    key, secret = issue_key(workspace=team.workspace, name="n", scopes=[Scope.READ])
    request = RequestFactory().get("/", headers={"authorization": f"Bearer {secret}"})
    assert ApiKeyAuth(Scope.READ)(request).workspace_id == team.workspace.id
    assert ApiKey.objects.get(pk=key.pk).last_used_at is not None


def test_key_without_scope_is_refused(team: Team) -> None:
    secret = make_api_key(team.workspace, [Scope.CHAT])
    request = RequestFactory().get("/", headers={"authorization": f"Bearer {secret}"})
    with pytest.raises(ScopeMissing):
        ApiKeyAuth(Scope.READ)(request)


def test_unknown_key_is_refused(team: Team) -> None:
    make_api_key(team.workspace)
    request = RequestFactory().get("/", headers={"authorization": "Bearer nothing"})
    with pytest.raises(InvalidApiKey):
        ApiKeyAuth(Scope.READ)(request)


def test_request_without_key_is_refused() -> None:
    with pytest.raises(MissingAuthHeader):
        ApiKeyAuth(Scope.READ)(RequestFactory().get("/"))
