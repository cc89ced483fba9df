"""Admin pages escape all user, model and API texts.

The admin's CSP allows inline scripts (Alpine needs them), so escaping is the only protection. Every
page is loaded with rows that hold the attack corpus.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from django.contrib import admin
from django.db.models import Model, QuerySet
from django.urls import reverse
from playwright.sync_api import Dialog, Page, Request

from apps.accounts.models import User
from apps.adjustments.models import AdjustmentLine
from apps.api_keys.models import IdempotentAnswer
from apps.api_keys.services import issue_key
from apps.audit.services import SYSTEM, Actor, record
from apps.chatbots.models import Chatbot, LanguageModel
from apps.conversations.models import Conversation, Turn
from apps.core.ids import new_id
from apps.credits.models import Account, Plan
from apps.leads.models import CapturedField, Lead, Reading
from apps.webhooks.models import Delivery, EventType
from apps.webhooks.services import emit
from apps.workspaces.models import Member, Role, Workspace
from apps.workspaces.services import invite
from tests.adjustments.adjustment_factories import make_pending_adjustment, make_posted_adjustment
from tests.browser.attacks import ATTACKS
from tests.browser.conftest import OpenContext
from tests.factories import (
    Team,
    grant_credits,
    make_chatbot,
    make_language_model,
    make_user,
    make_webhook_endpoint,
)
from tests.turns.turn_factory import complete_turn, make_running_turn

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

ALL_ATTACKS = " ".join(ATTACKS)
ATTACK_MARK = "document.hacked"
"""Set by most attacks when executed; found in the page when shown as text."""


def attacks_up_to(length: int) -> str:
    """Return as many whole attacks as fit this length."""
    taken = ""
    for attack in ATTACKS:
        if len(taken) + len(attack) + 1 <= length:
            taken += f"{attack} "
    return taken.strip()


def create_attack_rows(team: Team) -> None:
    """Create a row of every model with attacks as texts."""
    workspace = team.workspace
    Workspace.objects.filter(pk=workspace.pk).update(name=attacks_up_to(120))
    User.objects.filter(pk=team.alice.pk).update(name=attacks_up_to(120))
    grant_credits(workspace, 100)
    make_posted_adjustment(workspace, 5, reason=attacks_up_to(500), reference=attacks_up_to(200))
    make_pending_adjustment(
        workspace, 1_000_000, reason=attacks_up_to(500), reference=attacks_up_to(200)
    )
    Account.objects.filter(pk=workspace.pk).update(
        plan=Plan.objects.create(slug=new_id(), name=attacks_up_to(120), monthly_credits=1)
    )
    key, _ = issue_key(workspace=workspace, name=attacks_up_to(60))
    IdempotentAnswer.objects.create(
        workspace=workspace,
        api_key=key,
        idempotency_key=attacks_up_to(255),
        request_digest="x",
        status=201,
        sealed_body="x",
    )
    model = make_language_model()
    LanguageModel.objects.filter(pk=model.pk).update(name=f"{attacks_up_to(80)} {model.id}"[:120])
    model.refresh_from_db()
    chatbot = make_chatbot(workspace, model, system_prompt=ALL_ATTACKS)
    Chatbot.objects.filter(pk=chatbot.pk).update(name=attacks_up_to(80))
    turn = make_running_turn(
        chatbot, credits=1, text=ALL_ATTACKS, metadata={"who": ALL_ATTACKS, ALL_ATTACKS: "x"}
    )
    complete_turn(turn, ALL_ATTACKS)
    failed = make_running_turn(chatbot, text=ALL_ATTACKS, idempotency_key=attacks_up_to(255))
    Turn.objects.filter(pk=failed.pk).update(text_so_far=ALL_ATTACKS, model_name=attacks_up_to(120))
    record(
        workspace_id=workspace.id,
        actor=Actor(SYSTEM.kind, attacks_up_to(300)),
        action="key.issued",
        target_label=attacks_up_to(300),
        details={"reason": ALL_ATTACKS, ALL_ATTACKS: [ALL_ATTACKS]},
    )
    owner = Member.objects.get(workspace=workspace, user=team.alice)
    email = '"<script>document.hacked=1</script>"@example.com'
    invite(workspace=workspace, email=email, role=Role.VIEWER, by=owner, actor=SYSTEM)
    lead = Lead.objects.create(
        workspace=workspace,
        chatbot=chatbot,
        name=attacks_up_to(200),
        email="<svg/onload=document.hacked=1>@example.com",
        source=attacks_up_to(60),
        metadata={"who": ALL_ATTACKS},
    )
    CapturedField.objects.create(
        workspace=workspace,
        lead=lead,
        message=workspace.messages.all()[0],
        field="name",
        value=attacks_up_to(254),
    )
    Reading.objects.create(workspace=workspace, turn=turn)
    make_webhook_endpoint(workspace)
    emit(workspace_id=workspace.id, event=EventType.LEAD_CREATED, data={"name": ALL_ATTACKS})
    answer = {
        "response_body": ALL_ATTACKS,
        "request_headers": {"X-Said": ALL_ATTACKS},
        "error": attacks_up_to(200),
    }
    Delivery.objects.filter(workspace=workspace).update(**answer)


def rows_of(model: type[Model], team: Team) -> QuerySet[Model]:
    """Return the workspace's rows, or the newest rows of models without a workspace."""
    rows = model._default_manager.order_by("-pk")
    names = {field.name for field in model._meta.fields}
    if model is Workspace:
        return rows.filter(pk=team.workspace.pk)
    return rows.filter(workspace=team.workspace) if "workspace" in names else rows


def admin_urls(team: Team) -> Iterator[str]:
    """Yield the URL of every admin page: lists, rows, histories and custom pages."""
    yield reverse("admin:index")
    for model, options in admin.site._registry.items():
        row = rows_of(model, team).values_list("pk", flat=True).first()
        for pattern in options.urls:
            if not pattern.name or pattern.name.endswith("_autocomplete"):
                continue
            takes_row = "<" in str(pattern.pattern)
            if takes_row and row is None:
                continue
            yield reverse(f"admin:{pattern.name}", args=[row] if takes_row else [])
        yield reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist") + (
            f"?q={team.workspace.slug}"
        )


def test_admin_pages_escape_attacks(open_context: OpenContext, live_team: Team) -> None:
    create_attack_rows(live_team)
    admin_user = make_user("boss", is_staff=True, is_superuser=True)
    page = open_context(admin_user).new_page()
    foreign_requests, dialogs = watch_page(page)
    seen, hacked = 0, []
    for address in dict.fromkeys(admin_urls(live_team)):
        answer = page.goto(address, wait_until="load")
        assert answer is not None
        assert answer.status in (200, 403), address
        seen += ATTACK_MARK in page.content()
        if page.evaluate("document.hacked") is not None:
            hacked.append(address)
    assert (hacked, foreign_requests, dialogs) == ([], [], [])
    assert seen > 10, "too few pages show attacks"


def test_conversation_reader_escapes_attacks(open_context: OpenContext, live_team: Team) -> None:
    create_attack_rows(live_team)
    admin_user = make_user("boss", is_staff=True, is_superuser=True)
    page = open_context(admin_user).new_page()
    foreign_requests, dialogs = watch_page(page)
    conversation = Conversation.objects.filter(workspace=live_team.workspace).order_by("pk")[0]
    page.goto(reverse("admin:conversations_conversation_read", args=[conversation.pk]))
    page.locator("[name=reason]").fill("To see that nothing happens")
    page.get_by_role("button", name="Read messages").click()
    page.get_by_text(re.compile("attacker")).first.wait_for()
    assert (page.evaluate("document.hacked"), foreign_requests, dialogs) == (None, [], [])


def test_adjustment_forms_escape_attacks(open_context: OpenContext, live_team: Team) -> None:
    grant_credits(live_team.workspace, 10)
    page = open_context(make_user("boss", is_staff=True, is_superuser=True)).new_page()
    foreign_requests, dialogs = watch_page(page)
    page.goto(f"/admin/adjustments/adjustment/adjust/?workspace={live_team.workspace.slug}")
    page.locator("[name=credits]").fill("5")
    page.locator("[name=reason]").fill(attacks_up_to(500))
    page.locator("[name=reference]").fill(attacks_up_to(200))
    page.get_by_role("button", name="Review").click()
    page.get_by_role("button", name="Post").click()
    page.get_by_text("Posted.", exact=True).wait_for()
    page.goto("/admin/adjustments/adjustment/upload/")
    rows = "".join(f'"{each}",5,goodwill,"{each}","{each}",\n' for each in CSV_SAFE)
    content = f"workspace,amount,kind,reason,reference,expiry\n{rows}".encode()
    file = {"name": f"{ATTACKS[0]}.csv", "mimeType": "text/csv", "buffer": content}
    page.locator("input[type=file]").set_input_files(file)  # type: ignore[arg-type]
    page.get_by_role("button", name="Check rows").click()
    page.get_by_text("Some rows have errors").wait_for()
    assert (page.evaluate("document.hacked"), foreign_requests, dialogs) == (None, [], [])
    assert AdjustmentLine.objects.filter(workspace=live_team.workspace).count() == 1


CSV_SAFE = [attack.replace('"', '""') for attack in ATTACKS]


def watch_page(page: Page) -> tuple[list[str], list[str]]:
    """Collect the page's foreign requests and dialogs."""
    foreign_requests: list[str] = []
    dialogs: list[str] = []

    def on_request(request: Request) -> None:
        if not request.url.startswith(("http://127.0.0.1", "data:", "blob:")):
            foreign_requests.append(request.url)

    def on_dialog(dialog: Dialog) -> None:
        dialogs.append(dialog.message)
        dialog.dismiss()

    page.on("request", on_request)
    page.on("dialog", on_dialog)
    return foreign_requests, dialogs
