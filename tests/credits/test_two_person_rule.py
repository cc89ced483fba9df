"""One person moves at most APPROVAL_ABOVE credits of a workspace in a day, whichever way."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from apps.accounts.models import User
from apps.audit.models import AuditEntry
from apps.audit.services import staff_actor, user_actor
from apps.core.ids import new_id
from apps.credits.credit_requests import (
    accept_request,
    change_plan_as_staff,
    request_credits,
    request_plan,
)
from apps.credits.errors import ApprovalRequired, OwnWorkspaceError
from apps.credits.models import (
    Account,
    CreditRequest,
    EntryApproval,
    LedgerEntry,
    Plan,
    RequestState,
)
from apps.credits.queries import balance_for
from apps.credits.services import adjust, grant, reverse
from apps.workspaces.models import Role, Workspace
from apps.workspaces.services import add_member
from tests.adjustments.adjustment_factories import (
    approve_as,
    make_line,
    make_pending_adjustment,
    make_staff,
    submit_lines,
)
from tests.factories import Team, make_workspace

LIMIT = settings.APPROVAL_ABOVE


@pytest.fixture
def ann(db: None) -> User:
    return make_staff("finance")


@pytest.fixture
def ben(db: None) -> User:
    return make_staff("finance")


def ask_for_credits(team: Team, credits: int) -> CreditRequest:
    return request_credits(
        workspace_id=team.workspace.id,
        credits=credits,
        note="",
        user=team.alice,
        actor=user_actor(team.alice),
    )


def accept(request: CreditRequest, user: User, now: datetime | None = None) -> str:
    """Accept the request; the state it is in then."""
    decided = accept_request(
        workspace_id=request.workspace_id,
        request_id=request.id,
        answer="",
        user=user,
        actor=staff_actor(user),
        now=now or timezone.now(),
    )
    return str(decided.state)


def balance(workspace: Workspace) -> int:
    return balance_for(workspace.id).balance


def make_plan(monthly_credits: int) -> Plan:
    return Plan.objects.create(slug=new_id(), name="Large", monthly_credits=monthly_credits)


def test_three_purchases_are_not_accepted_by_one_person(team: Team, ann: User, ben: User) -> None:
    states = []
    for _ in range(2):
        request = ask_for_credits(team, LIMIT)
        states.append(accept(request, ann))
    assert (states, balance(team.workspace)) == (["accepted", "open"], LIMIT)
    with pytest.raises(ApprovalRequired):
        accept(request, ann)
    assert (accept(request, ben), balance(team.workspace)) == ("accepted", 2 * LIMIT)
    entry = LedgerEntry.objects.filter(workspace=team.workspace).latest("sequence")
    assert (entry.created_by, entry.approval.approved_by) == (ann, ben)
    actions = AuditEntry.objects.filter(target_id=request.id).order_by("created_at")
    assert [(each.action, each.actor_id) for each in actions] == [
        ("credit_request.asked", team.alice.id),
        ("credit_request.accepted_first", ann.id),
        ("credit_request.accepted", ben.id),
    ]


def move(way: str, workspace: Workspace, user: User, credits: int) -> None:
    """Give or take credits in one of the ways that staff have."""
    ids: dict[str, Any] = {"workspace_id": workspace.id}
    if way == "adjustment":
        adjust(**ids, credits=credits, reason="x", created_by=user)
    elif way == "deduction":
        adjust(**ids, credits=-credits, reason="x", created_by=user)
    elif way == "purchase":
        grant(**ids, credits=credits, reason="x", created_by=user)
    elif way == "reversal":
        entry = grant(**ids, credits=credits, reason="x")
        reverse(**ids, entry_id=entry.id, reason="x", created_by=user)
    else:
        assert way == "plan"
        requested = change_plan_as_staff(
            **ids,
            plan=make_plan(credits),
            user=user,
            actor=staff_actor(user),
            now=timezone.now(),
            reason="They asked",
        )
        if requested:
            raise ApprovalRequired(0, 0)


WAYS = ("adjustment", "deduction", "purchase", "reversal", "plan")


@pytest.mark.parametrize("second", WAYS)
@pytest.mark.parametrize("first", WAYS)
def test_all_ways_count_as_one_sum(team: Team, ann: User, first: str, second: str) -> None:
    place = team.other_workspace
    grant(workspace_id=place.id, credits=3 * LIMIT, reason="before")
    if first == second == "plan":
        first = "purchase"
    move(first, place, ann, LIMIT // 2)
    before = balance(place)
    with pytest.raises(ApprovalRequired), transaction.atomic():
        move(second, place, ann, LIMIT // 2 + 1)
    assert balance(place) == before
    move(second, place, ann, LIMIT // 2)


def test_sum_is_of_one_person_workspace_and_day(team: Team, ann: User, ben: User) -> None:
    for user, place in ((ann, team.workspace), (ann, team.other_workspace), (ben, team.workspace)):
        move("purchase", place, user, LIMIT)
    with pytest.raises(ApprovalRequired), transaction.atomic():
        move("purchase", team.workspace, ann, 1)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        earlier = timezone.now() - timedelta(hours=24, seconds=1)
        LedgerEntry.objects.filter(workspace=team.workspace).update(created_at=earlier)
        cursor.execute("SET LOCAL session_replication_role = origin")
    move("purchase", team.workspace, ann, LIMIT)


def test_approved_adjustments_do_not_count(team: Team, ann: User, ben: User) -> None:
    pending = submit_lines(ann, make_line(team.workspace, LIMIT + 1))
    assert approve_as(pending, ben).status == "approved"
    assert submit_lines(ann, make_line(team.workspace, LIMIT)).status == "posted"


def test_adjustment_after_a_purchase_is_pending(team: Team, ann: User) -> None:
    accept(ask_for_credits(team, LIMIT - 5), ann)
    assert submit_lines(ann, make_line(team.workspace, 5)).status == "posted"
    assert submit_lines(ann, make_line(team.workspace, 1)).status == "pending"


def test_large_plan_is_requested_from_a_second_person(team: Team, ann: User, ben: User) -> None:
    plan = make_plan(LIMIT + 1)
    request = change_plan_as_staff(
        workspace_id=team.workspace.id,
        plan=plan,
        user=ann,
        actor=staff_actor(ann),
        now=timezone.now(),
        reason="They asked",
    )
    assert request is not None
    assert (request.first_accepted_by, request.note, balance(team.workspace)) == (
        ann,
        "They asked",
        0,
    )
    with pytest.raises(ApprovalRequired):
        accept(request, ann)
    assert (accept(request, ben), balance(team.workspace)) == ("accepted", LIMIT + 1)
    assert Account.objects.get(pk=team.workspace.id).plan == plan


def test_upgrade_request_takes_two_people_too(team: Team, ann: User, ben: User) -> None:
    request = request_plan(
        workspace_id=team.workspace.id,
        plan=make_plan(LIMIT + 1),
        note="",
        user=team.alice,
        actor=user_actor(team.alice),
    )
    assert [accept(request, user) for user in (ann, ben)] == ["open", "accepted"]


def test_first_person_must_still_be_staff_of_elsewhere(team: Team, ann: User, ben: User) -> None:
    request = ask_for_credits(team, LIMIT + 1)
    accept(request, ann)
    User.objects.filter(pk=ann.pk).update(is_staff=False)
    assert accept(request, ben) == "open"
    add_member(workspace=team.workspace, user=ben, role=Role.VIEWER)
    with pytest.raises(OwnWorkspaceError):
        accept(request, ben)
    cyd = make_staff("finance")
    assert accept(request, cyd) == "open"
    assert balance(team.workspace) == 0


def test_command_names_two_people_above_the_limit(team: Team, ann: User, ben: User) -> None:
    def run(credits: int, *people: str) -> None:
        call_command("grant_credits", team.workspace.slug, str(credits), "--reason", "x", *people)

    run(LIMIT)
    for people in (
        [],
        ["--by", ann.email],
        ["--by", ann.email, "--approved-by", ann.email],
        ["--approved-by", ann.email],
        ["--by", ann.email, "--approved-by", team.alice.email],
    ):
        with pytest.raises(CommandError), transaction.atomic():
            run(LIMIT + 1, *people)
    assert balance(team.workspace) == LIMIT
    run(LIMIT + 1, "--by", ann.email, "--approved-by", ben.email.upper())
    assert balance(team.workspace) == 2 * LIMIT + 1


def approve_entry(entry: LedgerEntry, user: User, workspace: Workspace | None = None) -> None:
    EntryApproval.objects.create(
        entry=entry, workspace=workspace or entry.workspace, approved_by=user
    )


def test_postgres_refuses_an_approval_by_the_author_or_a_member(team: Team, ann: User) -> None:
    entry = grant(workspace_id=team.workspace.id, credits=1, reason="x", created_by=ann)
    for person in (ann, team.bob):
        with pytest.raises(DatabaseError, match="second person"), transaction.atomic():
            approve_entry(entry, person)
    charge_like = grant(workspace_id=team.workspace.id, credits=1, reason="x")
    with pytest.raises(DatabaseError, match="second person"), transaction.atomic():
        approve_entry(charge_like, ann)
    with pytest.raises(DatabaseError, match="second person"), transaction.atomic():
        approve_entry(entry, make_staff("finance"), team.other_workspace)


def test_postgres_keeps_approvals(team: Team) -> None:
    approve_as(make_pending_adjustment(team.workspace, LIMIT + 1), make_staff("finance"))
    approvals = EntryApproval.objects.filter(entry__workspace=team.workspace)
    for change in (lambda: approvals.delete(), lambda: approvals.update(created_at=None)):
        with pytest.raises(DatabaseError), transaction.atomic():
            change()


def test_postgres_refuses_one_person_as_both(team: Team, ann: User) -> None:
    request = ask_for_credits(team, 5)
    with pytest.raises(DatabaseError, match="accepted_by_two"), transaction.atomic():
        CreditRequest.objects.filter(pk=request.pk).update(
            state=RequestState.ACCEPTED,
            ended_at=timezone.now(),
            decided_by=ann,
            first_accepted_by=ann,
        )


def test_concurrent_moves_of_one_person_are_one_sum(committed: None) -> None:
    place, user = make_workspace(), make_staff("finance")

    def give(_: int) -> bool:
        try:
            grant(workspace_id=place.id, credits=LIMIT // 4, reason="x", created_by=user)
        except ApprovalRequired:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(8) as threads:
        given = list(threads.map(give, range(8)))
    assert (given.count(True), balance(place)) == (4, 4 * (LIMIT // 4))
