"""The staff admin: everything is found there, history is not touched, and secrets are not shown."""

from __future__ import annotations

from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.db import connection, models
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from apps.accounts.models import User
from apps.adjustments.models import Adjustment, AdjustmentLine
from apps.api_keys.models import ApiKey, IdempotentAnswer
from apps.api_keys.services import issue_key
from apps.audit.models import AuditEntry
from apps.audit.services import SYSTEM, record
from apps.chatbots.models import Chatbot, ChatbotVersion, LanguageModel, PriceChange
from apps.conversations.models import (
    Conversation,
    Message,
    Passage,
    Rating,
    SearchProgress,
    Turn,
)
from apps.conversations.models.export import Export, ExportPart
from apps.conversations.search import index_new_messages
from apps.core.ids import new_id
from apps.credits.credit_requests import request_credits
from apps.credits.models import (
    Account,
    AccountCheck,
    Alert,
    CreditRequest,
    LedgerEntry,
    Lot,
    NightlyCheck,
    Plan,
    Statement,
)
from apps.leads.models import CapturedField, Lead, Reading
from apps.reporting.reconciliation import check_account
from apps.webhooks.models import Delivery, Endpoint, Event, EventType
from apps.webhooks.services import emit
from apps.webhooks.signing import decrypt_secret
from apps.workspaces.models import Erasure, Invitation, Member, Role, Workspace
from apps.workspaces.services import invite, request_erasure
from tests.adjustments.adjustment_factories import make_pending_adjustment, make_posted_adjustment
from tests.conversations.export_factory import make_export
from tests.factories import (
    UNREACHABLE_URL,
    Team,
    grant_credits,
    make_chatbot,
    make_team,
    make_user,
    make_webhook_endpoint,
)
from tests.turns.turn_factory import complete_turn, make_running_turn

OURS = sorted(
    (model for model in apps.get_models() if model.__module__.startswith("apps.")),
    key=lambda model: model.__name__,
)
HISTORY = [
    Account,
    Adjustment,
    AdjustmentLine,
    AccountCheck,
    Alert,
    ApiKey,
    AuditEntry,
    CapturedField,
    ChatbotVersion,
    Conversation,
    CreditRequest,
    Delivery,
    Endpoint,
    Erasure,
    Event,
    Export,
    ExportPart,
    IdempotentAnswer,
    Invitation,
    Lead,
    LedgerEntry,
    Lot,
    Member,
    Message,
    NightlyCheck,
    Passage,
    PriceChange,
    Rating,
    Reading,
    SearchProgress,
    Statement,
    Turn,
]
TOKEN = "What-the-customers-address-holds"
USERS_TEXT, ANSWER, UNFINISHED = "What-the-user-said", "What-was-answered", "Half-an-answer"
MODELS = pytest.mark.parametrize("model", OURS, ids=lambda model: str(model.__name__))
PAST = pytest.mark.parametrize("model", HISTORY, ids=lambda model: str(model.__name__))


def make_rows() -> tuple[Team, str]:
    """A team with a row of everything; returns it and its API key's secret."""
    team = make_team()
    grant_credits(team.workspace, 10)
    make_posted_adjustment(team.workspace, 5)
    make_pending_adjustment(team.workspace, 1_000_000)
    Plan.objects.create(slug=new_id(), name="Plan", monthly_credits=10)
    Alert.objects.create(workspace=team.workspace, kind="exhausted", balance=0)
    request_credits(
        workspace_id=team.workspace.id, credits=5, note="", user=team.alice, actor=SYSTEM
    )
    request_erasure(workspace=team.workspace, user_id=USERS_TEXT, actor=SYSTEM)
    key, secret = issue_key(workspace=team.workspace, name="n")
    IdempotentAnswer.objects.create(
        workspace=team.workspace,
        api_key=key,
        idempotency_key=f"key {key.id}",
        request_digest=TOKEN,
        status=201,
        sealed_body=TOKEN,
    )
    chatbot = make_chatbot(team.workspace)
    fields = {"text": USERS_TEXT, "metadata": {"who": USERS_TEXT}, "api_key_id": key.id}
    complete_turn(make_running_turn(chatbot, credits=1, **fields), ANSWER)
    Turn.objects.filter(pk=make_running_turn(chatbot, **fields).pk).update(text_so_far=UNFINISHED)
    make_export(team.workspace)
    now = timezone.now()
    night, _ = NightlyCheck.objects.get_or_create(day=now, defaults={"claimed_until": now})
    check_account(night=night, workspace_id=team.workspace.id)
    record(workspace_id=team.workspace.id, actor=SYSTEM, action="key.issued")
    owner = Member.objects.get(workspace=team.workspace, user=team.alice)
    invite(
        workspace=team.workspace,
        email="dana@example.com",
        role=Role.VIEWER,
        by=owner,
        actor=SYSTEM,
    )
    CapturedField.objects.create(
        workspace=team.workspace,
        lead=Lead.objects.create(
            workspace=team.workspace,
            chatbot=chatbot,
            name="Dana",
            email="dana@example.com",
            metadata={"who": USERS_TEXT},
        ),
        message=Message.objects.filter(workspace=team.workspace)[0],
        field="name",
        value=USERS_TEXT,
    )
    index_new_messages()
    answer = Message.objects.get(workspace=team.workspace, role="assistant")
    Rating.objects.create(
        workspace=team.workspace,
        conversation_id=answer.conversation_id,
        message=answer,
        value="up",
        comment=USERS_TEXT,
        actor_kind="person",
        actor_label=team.alice.email,
    )
    Conversation.objects.filter(workspace=team.workspace).update(
        title=USERS_TEXT, note=USERS_TEXT, source=USERS_TEXT
    )
    Reading.objects.create(
        workspace=team.workspace, turn=Turn.objects.filter(workspace=team.workspace)[0]
    )
    make_webhook_endpoint(team.workspace, url=f"{UNREACHABLE_URL}?token={TOKEN}")
    event = EventType.LEAD_CREATED
    emit(workspace_id=team.workspace.id, event=event, data={"name": USERS_TEXT})
    answered = {"response_body": USERS_TEXT, "request_headers": {"X-Said": USERS_TEXT}}
    Delivery.objects.filter(workspace=team.workspace).update(**answered)
    return team, secret


@pytest.fixture
def staff(db: None) -> Client:
    """A browser in which a superuser is signed in."""
    client = Client()
    client.force_login(make_user("staff", is_staff=True, is_superuser=True))
    return client


def url(model: type[models.Model], page: str, *arguments: str) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=arguments)


def first(model: type[models.Model]) -> str:
    return str(model._default_manager.order_by("pk").values_list("pk", flat=True)[0])


@MODELS
def test_model_is_registered(model: type[models.Model]) -> None:
    registered = admin.site._registry[model]
    assert (bool(registered.search_fields), bool(registered.list_filter)) == (True, True)


@MODELS
def test_list_is_searched_and_filtered(staff: Client, model: type[models.Model]) -> None:
    make_rows()
    page = staff.get(url(model, "changelist"))
    assert (page.status_code, page.context["cl"].result_count > 0) == (200, True)
    assert staff.get(url(model, "changelist"), {"q": "some words"}).status_code == 200
    asked = 0
    for spec in page.context["cl"].filter_specs:
        for choice in spec.choices(page.context["cl"]):
            if query := choice.get("query_string"):
                assert staff.get(url(model, "changelist") + query).status_code == 200
                asked += 1
    assert asked > 1


@MODELS
def test_list_costs_the_same_however_long(staff: Client, model: type[models.Model]) -> None:
    make_rows()
    staff.get(url(model, "changelist"))
    counts = []
    for worlds in (0, 2):
        for _ in range(worlds):
            make_rows()
        with CaptureQueriesContext(
            connection,
        ) as queries:
            staff.get(url(model, "changelist"))
        counts.append(len(queries))
    assert counts[0] == counts[1]


@MODELS
def test_row_has_a_page(staff: Client, model: type[models.Model]) -> None:
    make_rows()
    assert staff.get(url(model, "change", first(model))).status_code == 200


@PAST
def test_history_is_not_added_to_changed_or_deleted(
    staff: Client, model: type[models.Model]
) -> None:
    make_rows()
    row = first(model)
    before = list(model._default_manager.order_by("pk").values())
    attempts = [
        staff.get(url(model, "add")),
        staff.post(url(model, "add"), {}),
        staff.post(url(model, "change", row), {"amount": "1", "_save": "Save"}),
        staff.get(url(model, "delete", row)),
        staff.post(url(model, "delete", row), {"post": "yes"}),
    ]
    assert [attempt.status_code for attempt in attempts] == [403] * 5
    removal = {"action": "delete_selected", "_selected_action": [row], "post": "yes"}
    staff.post(url(model, "changelist"), removal)
    assert list(model._default_manager.order_by("pk").values()) == before


@PAST
def test_history_has_no_buttons(staff: Client, model: type[models.Model]) -> None:
    make_rows()
    row = first(model)
    page = staff.get(url(model, "change", row)).content.decode()
    listing = staff.get(url(model, "changelist")).content.decode()
    assert [
        name for name in ("_save", "_continue", "_addanother") if f'name="{name}"' in page
    ] == []
    assert (url(model, "delete", row) in page, url(model, "add") in listing) == (False, False)
    assert "delete_selected" not in listing


def test_what_staff_may_edit_has_buttons(staff: Client) -> None:
    make_rows()
    page = staff.get(url(Chatbot, "change", first(Chatbot))).content.decode()
    assert page.count('name="_save"') == 1
    assert url(Chatbot, "add") in staff.get(url(Chatbot, "changelist")).content.decode()


def test_no_page_shows_what_people_said_or_a_key(staff: Client) -> None:
    _, secret = make_rows()
    (digest,) = ApiKey.objects.values_list("digest", flat=True)
    sealed = Endpoint.objects.get().sealed_secret
    secrets = [
        USERS_TEXT,
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
    addresses = [reverse("admin:index")]
    for model in OURS:
        addresses += [url(model, "changelist"), url(model, "changelist") + f"?q={secret[-4:]}"]
        for row in model._default_manager.values_list("pk", flat=True):
            addresses += [url(model, "change", str(row)), url(model, "history", str(row))]
    shown = []
    for address in addresses:
        page = staff.get(address)
        assert page.status_code == 200, address
        shown += [(address, word) for word in secrets if word in page.content.decode()]
    assert shown == []


@MODELS
def test_strangers_are_sent_to_the_login(team: Team, model: type[models.Model]) -> None:
    member = Client()
    member.force_login(team.alice)
    for client in (Client(), member):
        response = client.get(url(model, "changelist"))
        assert (response.status_code, response.headers["Location"].split("?")[0]) == (
            302,
            reverse("admin:login"),
        )


def test_staff_without_permissions_see_no_rows(team: Team) -> None:
    client = Client()
    client.force_login(make_user("staff", is_staff=True))
    assert [client.get(url(model, "changelist")).status_code for model in OURS] == [403] * len(OURS)


def test_staff_make_an_owner_where_the_last_one_is_gone(staff: Client) -> None:
    team, _ = make_rows()
    bob = Member.objects.get(workspace=team.workspace, user=team.bob)
    page = url(Member, "changelist")
    staff.post(page, {"action": "make_owners", "_selected_action": [bob.pk]})
    bob.refresh_from_db()
    (entry,) = AuditEntry.objects.filter(action="member.role_changed")
    assert (bob.role, entry.actor_kind, entry.workspace) == ("owner", "staff", team.workspace)


def test_staff_can_revoke_a_key(staff: Client) -> None:
    make_rows()
    key = ApiKey.objects.get()
    staff.post(url(ApiKey, "changelist"), {"action": "revoke", "_selected_action": [key.pk]})
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
    assert staff.post(url(LanguageModel, "add"), form).status_code == 302
    model = LanguageModel.objects.get(name=form["name"])
    assert (model.provider, model.provider_model) == ("openai-wire", "llama")
    assert (model.api_base, model.credits_per_reply) == ("http://llama:8000/v1", 1)


def test_language_model_that_is_changed_is_worked_out_anew(staff: Client) -> None:
    model = LanguageModel.objects.get(name="sandbox/echo")
    form = model_form(name=model.name, litellm_model="sandbox/slow")
    assert staff.post(url(LanguageModel, "change", model.id), form).status_code == 302
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
def test_language_model_that_makes_no_sense_is_a_form_error(
    staff: Client, field: str, value: str
) -> None:
    before = LanguageModel.objects.count()
    page = staff.post(url(LanguageModel, "add"), model_form(**{field: value}))
    assert (page.status_code, list(page.context["adminform"].form.errors)) == (200, [field])
    assert LanguageModel.objects.count() == before


def test_person_is_added_and_can_sign_in(staff: Client) -> None:
    email = f"new-{new_id()}@example.com"
    form = {"email": email, "password1": "Zq8-h3Xv_7Kd", "password2": "Zq8-h3Xv_7Kd"}
    assert staff.post(url(User, "add"), form).status_code == 302
    assert Client().login(email=email, password="Zq8-h3Xv_7Kd") is True


def test_workspace_with_history_is_not_deleted(staff: Client) -> None:
    team, _ = make_rows()
    staff.post(url(Workspace, "delete", team.workspace.id), {"post": "yes"})
    assert Workspace.objects.filter(pk=team.workspace.pk).count() == 1


def test_chatbot_that_staff_change_or_delete_says_so_in_its_versions_and_log(
    staff: Client, team: Team
) -> None:
    chatbot = make_chatbot(team.workspace)
    page = staff.get(url(Chatbot, "change", chatbot.id))
    form = page.context["adminform"].form.initial | {"name": "Mended"}
    assert staff.post(url(Chatbot, "change", chatbot.id), form).status_code == 302
    assert staff.post(url(Chatbot, "delete", chatbot.id), {"post": "yes"}).status_code == 302
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
    assert (chatbot.name, chatbot.is_active, chatbot.deleted_at is None) == ("Mended", False, False)
