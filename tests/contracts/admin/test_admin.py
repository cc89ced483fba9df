"""The staff admin lists every model, protects history, and shows no secrets."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib import admin
from django.db import connection, models
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from apps.accounts.models import User
from apps.api_keys.models import ApiKey
from apps.audit.models import AuditEntry
from apps.chatbots.models import Chatbot, ChatbotVersion, LanguageModel
from apps.core.ids import new_id
from apps.webhooks.models import Endpoint
from apps.webhooks.signing import decrypt_secret
from apps.workspaces.models import Member, Workspace
from tests.contracts.admin.admin_rows import (
    ANSWER,
    HISTORY_MODELS,
    OUR_MODELS,
    TOKEN,
    UNFINISHED,
    USER_TEXT,
    AdminRows,
    admin_url,
    make_admin_rows,
)
from tests.factories import (
    Team,
    make_chatbot,
    make_user,
)

EACH_MODEL = pytest.mark.parametrize("model", OUR_MODELS, ids=lambda model: str(model.__name__))
EACH_HISTORY_MODEL = pytest.mark.parametrize(
    "model", HISTORY_MODELS, ids=lambda model: str(model.__name__)
)


@pytest.fixture
def staff(db: None) -> Client:
    """A browser in which a superuser is signed in."""
    client = Client()
    client.force_login(make_user("staff", is_staff=True, is_superuser=True))
    return client


@EACH_MODEL
def test_model_is_registered(model: type[models.Model]) -> None:
    registered = admin.site._registry[model]
    assert (bool(registered.search_fields), bool(registered.list_filter)) == (True, True)


@EACH_MODEL
def test_list_can_be_searched_and_filtered(
    staff: Client, rows: AdminRows, model: type[models.Model]
) -> None:
    page = staff.get(admin_url(model, "changelist"))
    assert (page.status_code, page.context["cl"].result_count > 0) == (200, True)
    assert staff.get(admin_url(model, "changelist"), {"q": "some text"}).status_code == 200
    choices = 0
    for spec in page.context["cl"].filter_specs:
        for choice in spec.choices(page.context["cl"]):
            if query := choice.get("query_string"):
                assert staff.get(admin_url(model, "changelist") + query).status_code == 200
                choices += 1
    assert choices > 1


def test_query_count_of_each_list_is_constant(staff: Client, rows: AdminRows) -> None:
    """One test of all lists, because the further rows are the same for all."""
    list_query_counts(staff)
    before = list_query_counts(staff)
    for _ in range(2):
        make_admin_rows()
    assert list_query_counts(staff) == before


def list_query_counts(staff: Client) -> dict[str, int]:
    counts = {}
    for model in OUR_MODELS:
        with CaptureQueriesContext(connection) as queries:
            assert staff.get(admin_url(model, "changelist")).status_code == 200
        counts[model.__name__] = len(queries)
    return counts


@EACH_MODEL
def test_row_has_a_change_page(staff: Client, rows: AdminRows, model: type[models.Model]) -> None:
    assert staff.get(admin_url(model, "change", rows.first(model))).status_code == 200


@EACH_HISTORY_MODEL
def test_history_cannot_be_added_changed_or_deleted(
    staff: Client, rows: AdminRows, model: type[models.Model]
) -> None:
    row = rows.first(model)
    before = list(model._default_manager.order_by("pk").values())
    attempts = [
        staff.get(admin_url(model, "add")),
        staff.post(admin_url(model, "add"), {}),
        staff.post(admin_url(model, "change", row), {"amount": "1", "_save": "Save"}),
        staff.get(admin_url(model, "delete", row)),
        staff.post(admin_url(model, "delete", row), {"post": "yes"}),
    ]
    assert [attempt.status_code for attempt in attempts] == [403] * 5
    removal = {"action": "delete_selected", "_selected_action": [row], "post": "yes"}
    staff.post(admin_url(model, "changelist"), removal)
    assert list(model._default_manager.order_by("pk").values()) == before


@EACH_HISTORY_MODEL
def test_history_has_no_edit_buttons(
    staff: Client, rows: AdminRows, model: type[models.Model]
) -> None:
    row = rows.first(model)
    page = staff.get(admin_url(model, "change", row)).content.decode()
    listing = staff.get(admin_url(model, "changelist")).content.decode()
    assert [
        name for name in ("_save", "_continue", "_addanother") if f'name="{name}"' in page
    ] == []
    assert (admin_url(model, "delete", row) in page, admin_url(model, "add") in listing) == (
        False,
        False,
    )
    assert "delete_selected" not in listing


def test_editable_model_has_edit_buttons(staff: Client, rows: AdminRows) -> None:
    page = staff.get(admin_url(Chatbot, "change", rows.first(Chatbot))).content.decode()
    assert page.count('name="_save"') == 1
    assert admin_url(Chatbot, "add") in staff.get(admin_url(Chatbot, "changelist")).content.decode()


@EACH_MODEL
def test_no_page_shows_user_text_or_secrets(
    staff: Client, rows: AdminRows, model: type[models.Model]
) -> None:
    secret = rows.secret
    digest = ApiKey.objects.get(workspace=rows.team.workspace).digest
    sealed = Endpoint.objects.get(workspace=rows.team.workspace).sealed_secret
    secrets = [
        USER_TEXT,
        ANSWER,
        UNFINISHED,
        TOKEN,
        sealed,
        decrypt_secret(sealed),
        secret,
        secret[17:-4],
        digest,
        "argon2",
        "md5$",
    ]
    addresses = [
        reverse("admin:index"),
        admin_url(model, "changelist"),
        admin_url(model, "changelist") + f"?q={secret[-4:]}",
    ]
    for row in rows.keys[model]:
        addresses += [admin_url(model, "change", row), admin_url(model, "history", row)]
    leaks = []
    for address in addresses:
        page = staff.get(address)
        assert page.status_code == 200, address
        leaks += [(address, word) for word in secrets if word in page.content.decode()]
    assert leaks == []


@EACH_MODEL
def test_other_people_are_redirected_to_the_login(team: Team, model: type[models.Model]) -> None:
    member = Client()
    member.force_login(team.alice)
    for client in (Client(), member):
        response = client.get(admin_url(model, "changelist"))
        assert (response.status_code, response.headers["Location"].split("?")[0]) == (
            302,
            reverse("admin:login"),
        )


def test_staff_without_permissions_see_no_rows(team: Team) -> None:
    client = Client()
    client.force_login(make_user("staff", is_staff=True))
    assert [client.get(admin_url(model, "changelist")).status_code for model in OUR_MODELS] == [
        403
    ] * len(OUR_MODELS)


def test_staff_can_make_a_member_owner(staff: Client, rows: AdminRows) -> None:
    team = rows.team
    bob = Member.objects.get(workspace=team.workspace, user=team.bob)
    page = admin_url(Member, "changelist")
    staff.post(page, {"action": "make_owners", "_selected_action": [bob.pk]})
    bob.refresh_from_db()
    (entry,) = AuditEntry.objects.filter(action="member.role_changed", workspace=team.workspace)
    assert (bob.role, entry.actor_kind, entry.workspace) == ("owner", "staff", team.workspace)


def test_staff_can_revoke_a_key(staff: Client, rows: AdminRows) -> None:
    key = ApiKey.objects.get(workspace=rows.team.workspace)
    staff.post(admin_url(ApiKey, "changelist"), {"action": "revoke", "_selected_action": [key.pk]})
    key.refresh_from_db()
    assert key.revoked_at is not None


def model_form(**fields: Any) -> dict[str, Any]:
    return {
        "name": f"model-{new_id()}",
        "litellm_model": "sandbox/echo",
        "credits_per_reply": 1,
        "credits_per_1k_input": 0,
        "credits_per_1k_output": 0,
        "context_tokens": 8192,
        "supports_streaming": "on",
        "is_active": "on",
        **fields,
    }


def test_language_model_is_saved_with_its_provider(staff: Client) -> None:
    form = model_form(litellm_model="openai/llama", api_base="http://llama:8000/v1/")
    assert staff.post(admin_url(LanguageModel, "add"), form).status_code == 302
    model = LanguageModel.objects.get(name=form["name"])
    assert (model.provider, model.provider_model) == ("openai-wire", "llama")
    assert (model.api_base, model.credits_per_reply) == ("http://llama:8000/v1", 1)


def test_changed_language_model_is_resolved_again(staff: Client) -> None:
    model = LanguageModel.objects.get(name="sandbox/echo")
    form = model_form(name=model.name, litellm_model="sandbox/slow")
    assert staff.post(admin_url(LanguageModel, "change", model.id), form).status_code == 302
    model.refresh_from_db()
    assert (model.litellm_model, model.provider_model) == ("sandbox/slow", "sandbox/slow")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("litellm_model", "sandbox/nothing"),
        ("litellm_model", ""),
        ("api_base", "http:// host"),
        ("api_key_env", "SECRET_KEY"),
        ("credits_per_reply", "-1"),
        ("name", "sandbox/echo"),
    ],
)
def test_invalid_language_model_is_a_form_error(staff: Client, field: str, value: str) -> None:
    before = LanguageModel.objects.count()
    page = staff.post(admin_url(LanguageModel, "add"), model_form(**{field: value}))
    assert (page.status_code, list(page.context["adminform"].form.errors)) == (200, [field])
    assert LanguageModel.objects.count() == before


def test_added_user_can_sign_in(staff: Client) -> None:
    email = f"new-{new_id()}@example.com"
    form = {"email": email, "password1": "Zq8-h3Xv_7Kd", "password2": "Zq8-h3Xv_7Kd"}
    assert staff.post(admin_url(User, "add"), form).status_code == 302
    assert Client().login(email=email, password="Zq8-h3Xv_7Kd") is True


def test_workspace_with_history_cannot_be_deleted(staff: Client, rows: AdminRows) -> None:
    workspace = rows.team.workspace
    staff.post(admin_url(Workspace, "delete", workspace.id), {"post": "yes"})
    assert Workspace.objects.filter(pk=workspace.pk).count() == 1


def test_chatbot_changes_by_staff_are_recorded(staff: Client, team: Team) -> None:
    chatbot = make_chatbot(team.workspace)
    page = staff.get(admin_url(Chatbot, "change", chatbot.id))
    form = page.context["adminform"].form.initial | {"name": "Renamed"}
    assert staff.post(admin_url(Chatbot, "change", chatbot.id), form).status_code == 302
    assert staff.post(admin_url(Chatbot, "delete", chatbot.id), {"post": "yes"}).status_code == 302
    versions = ChatbotVersion.objects.filter(chatbot=chatbot).order_by("number")
    entries = AuditEntry.objects.filter(target_id=chatbot.id).order_by("created_at")
    assert [(each.actor_kind, each.changed) for each in versions] == [
        ("system", []),
        ("staff", ["name"]),
    ]
    assert [(each.action, each.actor_kind) for each in entries] == [
        ("chatbot.created", "system"),
        ("chatbot.updated", "staff"),
        ("chatbot.deleted", "staff"),
    ]
    chatbot.refresh_from_db()
    assert (chatbot.name, chatbot.is_active, chatbot.deleted_at is None) == (
        "Renamed",
        False,
        False,
    )
