"""Two sessions change the same thing: the second, once it has waited, goes by what is committed.

One case for each kind of change that locks a row first. Opening and settling turns have their own
in `tests/turns/test_waiting.py`, and what is created while a workspace closes in
`tests/workspaces/test_limits.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from django.utils import timezone

from apps.api_keys.services import issue_key, revoke_key, rotate_key
from apps.audit.services import SYSTEM, user_actor
from apps.chatbots.models import ChatbotVersion
from apps.chatbots.services import delete_chatbot, update_chatbot
from apps.conversations.annotations import rate_answer
from apps.conversations.erasure import delete_conversation
from apps.conversations.models import RatingValue
from apps.core.ids import new_id
from apps.credits.alerts import set_low_balance_threshold
from apps.credits.credit_requests import request_credits, withdraw_request
from apps.credits.models import Account, Alert, LedgerEntry
from apps.credits.plans import renew_account, start_plan
from apps.credits.queries import Balance, balance_for, ledger_sum
from apps.credits.services import (
    adjust,
    charge,
    charge_embedding,
    expire_lots,
    grant,
    hold,
    reverse,
)
from apps.knowledge.models import Generation, Source
from apps.knowledge.pipeline.claiming import ClaimLost
from apps.knowledge.pipeline.swapping import make_live
from apps.knowledge.services.bases import lock_knowledge_base
from apps.knowledge.services.embedding_charges import EmbeddingJob, record_tokens
from apps.knowledge.services.sources import delete_source, reindex_knowledge_base
from apps.leads.fields import LeadFields
from apps.leads.services import create_lead, delete_lead
from apps.webhooks.models import DisabledReason, Endpoint
from apps.webhooks.services import (
    EndpointChanges,
    delete_endpoint,
    disable_endpoint,
    update_endpoint,
)
from apps.workspaces.models import Member, Role
from apps.workspaces.services import add_member, leave_workspace
from tests.concurrent_sessions import after
from tests.factories import Team, grant_credits, make_chatbot, make_user, make_webhook_endpoint
from tests.factories.embedding_models import make_embedding_model
from tests.knowledge.knowledge_factory import make_knowledge_base
from tests.turns.turn_factory import complete_turn, make_running_turn

Change = Callable[[], object]


def balance_of(team: Team) -> Balance:
    """The balance of the team's workspace, which is the sum of its ledger."""
    balance = balance_for(team.workspace.id)
    assert ledger_sum(team.workspace.id) == balance.balance
    return balance


def outcome(first: Change, second: Change) -> str:
    """How the second change ends that waits for the first: `done`, or its error's name."""
    result = after(first, second)
    return type(result).__name__ if isinstance(result, Exception) else "done"


def test_credits_are_deducted_and_held_once(live_team: Team) -> None:
    grant_credits(live_team.workspace, 10)
    workspace_id = live_team.workspace.id

    def deduct(credits: int) -> Change:
        return lambda: adjust(workspace_id=workspace_id, credits=-credits, reason="x")

    assert outcome(deduct(6), deduct(6)) == "InsufficientCredits"
    held = outcome(lambda: hold(workspace_id=workspace_id, credits=3), deduct(2))
    assert (held, balance_of(live_team)) == ("InsufficientCredits", Balance(4, 3))


def test_hold_is_charged_once(live_team: Team) -> None:
    grant_credits(live_team.workspace, 10)
    workspace_id = live_team.workspace.id
    hold(workspace_id=workspace_id, credits=6)

    def settle() -> None:
        charge(workspace_id=workspace_id, held=6, credits=5, turn_id=new_id())

    assert outcome(settle, settle) == "InsufficientCredits"
    assert balance_of(live_team) == Balance(5, 0)


def test_hold_fits_into_what_a_charge_leaves(live_team: Team) -> None:
    grant_credits(live_team.workspace, 10)
    workspace_id = live_team.workspace.id
    hold(workspace_id=workspace_id, credits=5)
    settle: Change = lambda: charge(  # noqa: E731
        workspace_id=workspace_id, held=5, credits=5, turn_id=new_id()
    )
    assert outcome(settle, lambda: hold(workspace_id=workspace_id, credits=5)) == "done"
    assert balance_of(live_team) == Balance(5, 5)


def test_embedding_is_charged_what_a_hold_leaves(live_team: Team) -> None:
    grant_credits(live_team.workspace, 12)
    workspace_id = live_team.workspace.id

    def charge_ten() -> None:
        charge_embedding(workspace_id=workspace_id, credits=10, reason="x", reference="x")

    assert outcome(lambda: hold(workspace_id=workspace_id, credits=5), charge_ten) == "done"
    assert balance_of(live_team) == Balance(5, 5)


def make_built_generation(team: Team) -> tuple[Source, Generation]:
    """A source that a worker indexes, and its generation, for which 7 credits are due."""
    grant_credits(team.workspace, 10)
    model = make_embedding_model(credits_per_1k_tokens=1000)
    base = make_knowledge_base(team.workspace, embedding_model=model)
    source = Source.objects.create(
        workspace=team.workspace, knowledge_base=base, type="text", title="x", due_at=None
    )
    generation = Generation.objects.create(workspace=team.workspace, source=source)
    record_tokens(EmbeddingJob(team.workspace.id, base.id, model, generation.id), tokens=7)
    return source, generation


def test_generation_is_charged_once(live_team: Team) -> None:
    source, generation = make_built_generation(live_team)
    result = after(
        lambda: delete_source(source=source, actor=SYSTEM), lambda: make_live(source, generation)
    )
    assert (type(result), balance_of(live_team)) == (ClaimLost, Balance(3, 0))


def test_generation_waits_for_its_base_before_its_source(live_team: Team) -> None:
    """As everybody who changes all sources of a base does: neither ends in a deadlock."""
    source, generation = make_built_generation(live_team)
    base = source.knowledge_base
    result = after(
        lambda: lock_knowledge_base(base),
        lambda: make_live(source, generation),
        then=lambda: reindex_knowledge_base(base=base, actor=SYSTEM),
    )
    Source.objects.filter(id=source.id).update(due_at=None)
    assert (type(result), balance_of(live_team)) == (ClaimLost, Balance(3, 0))


def test_entry_is_reversed_once(live_team: Team) -> None:
    entry = grant(workspace_id=live_team.workspace.id, credits=10, reason="x")

    def undo() -> None:
        reverse(workspace_id=live_team.workspace.id, entry_id=entry.id, reason="x")

    assert outcome(undo, undo) == "ValueError"
    assert balance_of(live_team) == Balance(0, 0)


def test_credits_expire_and_are_granted_once(live_team: Team) -> None:
    workspace_id, now = live_team.workspace.id, timezone.now()
    grant(workspace_id=workspace_id, credits=10, reason="x", expires_at=now)

    def expire() -> None:
        expire_lots(workspace_id=workspace_id, now=now)

    assert outcome(expire, expire) == "done"
    assert balance_of(live_team) == Balance(0, 0)
    start_plan(workspace_id=workspace_id, plan="free", grant_credits=True, now=now)

    def renew() -> None:
        renew_account(workspace_id=workspace_id, now=now + timedelta(days=32))

    assert outcome(renew, renew) == "done"
    grants = LedgerEntry.objects.filter(workspace=workspace_id, kind="grant", amount=100)
    assert grants.count() == 2


def test_credit_request_is_closed_once(live_team: Team) -> None:
    team, actor = live_team, user_actor(live_team.alice)
    request = request_credits(
        workspace_id=team.workspace.id, credits=5, note="", user=team.alice, actor=actor
    )

    def withdraw() -> None:
        withdraw_request(workspace_id=team.workspace.id, request_id=request.id, actor=actor)

    assert outcome(withdraw, withdraw) == "RequestNotOpen"


def test_alert_is_armed_by_the_balance_after_the_wait(live_team: Team) -> None:
    workspace_id = live_team.workspace.id
    grant_credits(live_team.workspace, 10)
    done = outcome(
        lambda: adjust(workspace_id=workspace_id, credits=-6, reason="x"),
        lambda: set_low_balance_threshold(workspace_id=workspace_id, threshold=5, actor=SYSTEM),
    )
    account = Account.objects.get(pk=workspace_id)
    assert (done, account.low_balance_threshold, account.low_alert_armed) == ("done", 5, False)
    assert not Alert.objects.filter(workspace=workspace_id).exists()


def test_ended_key_is_not_rotated(live_team: Team) -> None:
    key, _ = issue_key(workspace=live_team.workspace, name="n")
    other, _ = issue_key(workspace=live_team.workspace, name="n")

    def rotate() -> None:
        rotate_key(key=key, grace=timedelta(0), actor=SYSTEM)

    assert outcome(rotate, rotate) == "ApiKeyEnded"
    assert outcome(
        lambda: revoke_key(key=other),
        lambda: rotate_key(key=other, grace=timedelta(0), actor=SYSTEM),
    ) == ("ApiKeyEnded")


def test_changes_of_a_chatbot_add_up(live_team: Team) -> None:
    chatbot = make_chatbot(live_team.workspace)
    done = outcome(
        lambda: update_chatbot(chatbot=chatbot, actor=SYSTEM, changes={"name": "New"}),
        lambda: update_chatbot(chatbot=chatbot, actor=SYSTEM, changes={"temperature": 0.1}),
    )
    chatbot.refresh_from_db()
    assert (done, chatbot.name, chatbot.temperature, chatbot.version) == ("done", "New", 0.1, 3)
    newest = ChatbotVersion.objects.get(chatbot=chatbot, number=3)
    assert (newest.snapshot["name"], newest.snapshot["temperature"]) == ("New", 0.1)
    delete: Change = lambda: delete_chatbot(chatbot=chatbot, actor=SYSTEM)  # noqa: E731
    update: Change = lambda: update_chatbot(  # noqa: E731
        chatbot=chatbot, actor=SYSTEM, changes={"name": "Newer"}
    )
    assert outcome(delete, update) == "ChatbotNotFound"


def test_deleted_rows_are_not_changed(live_team: Team) -> None:
    team, workspace_id = live_team, live_team.workspace.id
    chatbot = make_chatbot(team.workspace)
    turn = make_running_turn(chatbot)
    complete_turn(turn)
    lead, _ = create_lead(
        workspace_id=workspace_id,
        chatbot_id=chatbot.id,
        fields=LeadFields(email="eve@example.com"),
        actor=SYSTEM,
    )
    endpoint, _ = make_webhook_endpoint(team.workspace)
    of_turn = {"workspace_id": workspace_id, "conversation_id": turn.conversation_id}
    same_endpoint = Endpoint.objects.get(pk=endpoint.pk)
    rename = EndpointChanges(description="new")
    cases: list[tuple[Change, Change, str]] = [
        (
            lambda: delete_conversation(**of_turn, actor=SYSTEM),
            lambda: rate_answer(
                **of_turn,
                message_id=turn.message_id,
                value=RatingValue.UP,
                comment="",
                actor=SYSTEM,
            ),
            "ConversationNotFound",
        ),
        (
            lambda: delete_lead(workspace_id=workspace_id, lead_id=lead.id, actor=SYSTEM),
            lambda: delete_lead(workspace_id=workspace_id, lead_id=lead.id, actor=SYSTEM),
            "LeadNotFound",
        ),
        (
            lambda: disable_endpoint(endpoint=endpoint, reason=DisabledReason.OWNER),
            lambda: disable_endpoint(endpoint=endpoint, reason=DisabledReason.OWNER),
            "done",
        ),
        (
            lambda: delete_endpoint(endpoint=endpoint, actor=SYSTEM),
            lambda: update_endpoint(endpoint=same_endpoint, actor=SYSTEM, changes=rename),
            "EndpointNotFound",
        ),
    ]
    assert [outcome(first, second) for first, second, _ in cases] == [name for *_, name in cases]


def test_workspace_keeps_one_of_two_owners(live_team: Team) -> None:
    workspace = live_team.workspace
    owners = [
        Member.objects.get(workspace=workspace, user=live_team.alice),
        add_member(workspace=workspace, user=make_user(), role=Role.OWNER),
    ]
    leaving = [
        lambda member=member: leave_workspace(workspace=workspace, member=member, actor=SYSTEM)
        for member in owners
    ]
    assert outcome(*leaving) == "LastOwner"
