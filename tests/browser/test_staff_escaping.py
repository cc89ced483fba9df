"""What people, models and integrators wrote does nothing on any page of the admin.

The admin's policy lets inline script run (Alpine asks for it), so that here escaping is all there
is: every page is loaded over rows that carry the corpus of attacks.
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
from tests.adjustments.adjustment_requests import asked, posted
from tests.browser.attacks import ATTACKS
from tests.browser.conftest import Open
from tests.factories import (
    Team,
    grant_credits,
    make_chatbot,
    make_language_model,
    make_user,
    make_webhook_endpoint,
)
from tests.turns.new_turns import completed, opened

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

ALL = " ".join(ATTACKS)
SIGN = "document.hacked"
"""What most of the attacks would do, and what is read where they stand as text."""


def piece(length: int) -> str:
    """As many of the attacks as a column of this length takes, each whole."""
    taken = ""
    for attack in ATTACKS:
        if len(taken) + len(attack) + 1 <= length:
            taken += f"{attack} "
    return taken.strip()


def harmful(team: Team) -> None:
    """A row of everything, each text of it an attack."""
    workspace = team.workspace
    Workspace.objects.filter(pk=workspace.pk).update(name=piece(120))
    User.objects.filter(pk=team.alice.pk).update(name=piece(120))
    grant_credits(workspace, 100)
    posted(workspace, 5, reason=piece(500), reference=piece(200))
    asked(workspace, 1_000_000, reason=piece(500), reference=piece(200))
    Account.objects.filter(pk=workspace.pk).update(
        plan=Plan.objects.create(slug=new_id(), name=piece(120), monthly_credits=1)
    )
    key, _ = issue_key(workspace=workspace, name=piece(60))
    IdempotentAnswer.objects.create(
        workspace=workspace,
        api_key=key,
        idempotency_key=piece(255),
        request_digest="x",
        status=201,
        sealed_body="x",
    )
    model = make_language_model()
    LanguageModel.objects.filter(pk=model.pk).update(name=f"{piece(80)} {model.id}"[:120])
    model.refresh_from_db()
    chatbot = make_chatbot(workspace, model, system_prompt=ALL)
    Chatbot.objects.filter(pk=chatbot.pk).update(name=piece(80))
    turn = opened(chatbot, credits=1, text=ALL, metadata={"who": ALL, ALL: "x"})
    completed(turn, ALL)
    failed = opened(chatbot, text=ALL, idempotency_key=piece(255))
    Turn.objects.filter(pk=failed.pk).update(text_so_far=ALL, model_name=piece(120))
    record(
        workspace_id=workspace.id,
        actor=Actor(SYSTEM.kind, piece(300)),
        action="key.issued",
        target_label=piece(300),
        details={"reason": ALL, ALL: [ALL]},
    )
    owner = Member.objects.get(workspace=workspace, user=team.alice)
    email = '"<script>document.hacked=1</script>"@example.com'
    invite(workspace=workspace, email=email, role=Role.VIEWER, by=owner, actor=SYSTEM)
    lead = Lead.objects.create(
        workspace=workspace,
        chatbot=chatbot,
        name=piece(200),
        email="<svg/onload=document.hacked=1>@example.com",
        source=piece(60),
        metadata={"who": ALL},
    )
    CapturedField.objects.create(
        workspace=workspace,
        lead=lead,
        message=workspace.messages.all()[0],
        field="name",
        value=piece(254),
    )
    Reading.objects.create(workspace=workspace, turn=turn)
    make_webhook_endpoint(workspace)
    emit(workspace_id=workspace.id, event=EventType.LEAD_CREATED, data={"name": ALL})
    answer = {"response_body": ALL, "request_headers": {"X-Said": ALL}, "error": piece(200)}
    Delivery.objects.filter(workspace=workspace).update(**answer)


def rows_of(model: type[Model], team: Team) -> QuerySet[Model]:
    """The rows of the team's workspace; of what belongs to none, the newest."""
    rows = model._default_manager.order_by("-pk")
    names = {field.name for field in model._meta.fields}
    if model is Workspace:
        return rows.filter(pk=team.workspace.pk)
    return rows.filter(workspace=team.workspace) if "workspace" in names else rows


def addresses(team: Team) -> Iterator[str]:
    """Every page of the admin: lists, rows, histories, and pages of our own."""
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


def test_what_others_wrote_does_nothing_on_any_page(visit: Open, live_team: Team) -> None:
    harmful(live_team)
    boss = make_user("boss", is_staff=True, is_superuser=True)
    page = visit(boss).new_page()
    went, dialogs = watched(page)
    seen, hacked = 0, []
    for address in dict.fromkeys(addresses(live_team)):
        answer = page.goto(address, wait_until="load")
        assert answer is not None
        assert answer.status in (200, 403), address
        seen += SIGN in page.content()
        if page.evaluate("document.hacked") is not None:
            hacked.append(address)
    assert (hacked, went, dialogs) == ([], [], [])
    assert seen > 10, "the attacks were on the pages, as text"


def test_what_was_said_does_nothing_where_it_is_read(visit: Open, live_team: Team) -> None:
    harmful(live_team)
    boss = make_user("boss", is_staff=True, is_superuser=True)
    page = visit(boss).new_page()
    went, dialogs = watched(page)
    conversation = Conversation.objects.filter(workspace=live_team.workspace).order_by("pk")[0]
    page.goto(reverse("admin:conversations_conversation_read", args=[conversation.pk]))
    page.locator("[name=reason]").fill("To see that nothing happens")
    page.get_by_role("button", name="Read messages").click()
    page.get_by_text(re.compile("attacker")).first.wait_for()
    assert (page.evaluate("document.hacked"), went, dialogs) == (None, [], [])


def test_what_is_typed_does_nothing_where_it_is_shown_again(visit: Open, live_team: Team) -> None:
    grant_credits(live_team.workspace, 10)
    page = visit(make_user("boss", is_staff=True, is_superuser=True)).new_page()
    went, dialogs = watched(page)
    page.goto(f"/admin/adjustments/adjustment/adjust/?workspace={live_team.workspace.slug}")
    page.locator("[name=credits]").fill("5")
    page.locator("[name=reason]").fill(piece(500))
    page.locator("[name=reference]").fill(piece(200))
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
    assert (page.evaluate("document.hacked"), went, dialogs) == (None, [], [])
    assert AdjustmentLine.objects.filter(workspace=live_team.workspace).count() == 1


CSV_SAFE = [attack.replace('"', '""') for attack in ATTACKS]


def watched(page: Page) -> tuple[list[str], list[str]]:
    """Where the page asks to go beside our own server, and the dialogs that it opens."""
    went: list[str] = []
    dialogs: list[str] = []

    def ask(request: Request) -> None:
        if not request.url.startswith(("http://127.0.0.1", "data:", "blob:")):
            went.append(request.url)

    def say(dialog: Dialog) -> None:
        dialogs.append(dialog.message)
        dialog.dismiss()

    page.on("request", ask)
    page.on("dialog", say)
    return went, dialogs
