"""Requests of a workspace to staff: for another plan, or for credits to buy.

    request_plan, request_credits   open a request; one of each kind at a time
    withdraw_request                by the workspace, while it is open
    accept_request                  by staff: changes the plan or grants the credits
    decline_request                 by staff, with an answer

The account is locked before the request. Accepting acts in the same transaction.
"""

from datetime import datetime

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from apps.accounts.models import User
from apps.audit.services import Actor, record
from apps.credits.errors import OwnWorkspaceError, RequestAlreadyOpen, RequestNotOpen
from apps.credits.models import (
    MAX_CREDITS,
    Category,
    CreditRequest,
    EntryKind,
    LedgerEntry,
    Plan,
    RequestKind,
    RequestState,
)
from apps.credits.plans import change_plan
from apps.credits.services import grant, lock_account
from apps.infrastructure.task_queue import send_task_on_commit
from apps.workspaces.queries import is_member

SEND_DECISION_TASK = "apps.credits.tasks.send_decision"


def request_plan(
    *, workspace_id: str, plan: Plan, note: str, user: User, actor: Actor
) -> CreditRequest:
    """Request another plan. Raises RequestAlreadyOpen, or ValueError for a plan not offered."""
    if not plan.is_active:
        raise ValueError(f"The plan {plan.name} is not offered.")
    return _create(CreditRequest(kind=RequestKind.PLAN, plan=plan), workspace_id, note, user, actor)


def request_credits(
    *, workspace_id: str, credits: int, note: str, user: User, actor: Actor
) -> CreditRequest:
    """Request to buy credits. Raises RequestAlreadyOpen, or ValueError."""
    if not 1 <= credits <= MAX_CREDITS:
        raise ValueError(f"Ask for 1 to {MAX_CREDITS:,} credits.")
    request = CreditRequest(kind=RequestKind.PURCHASE, credits=credits)
    return _create(request, workspace_id, note, user, actor)


@transaction.atomic
def withdraw_request(*, workspace_id: str, request_id: str, actor: Actor) -> CreditRequest:
    """Withdraw an open request. Raises RequestNotOpen, also if it does not exist."""
    return _close(workspace_id, request_id, RequestState.WITHDRAWN, actor)


@transaction.atomic
def accept_request(
    *, workspace_id: str, request_id: str, answer: str, user: User, actor: Actor, now: datetime
) -> CreditRequest:
    """Accept a request: change the plan or grant the credits.

    Credits that staff already posted with the request's id as reference are not granted again: more
    credits than one person may grant are posted that way, by two. Raises RequestNotOpen,
    OwnWorkspaceError, and ValueError if the change is not possible.
    """
    request = _close(workspace_id, request_id, RequestState.ACCEPTED, actor, answer, user)
    if request.plan is not None:
        change_plan(workspace_id=workspace_id, plan=request.plan, actor=actor, now=now, user=user)
    elif not _is_already_granted(request):
        _grant_credits(request, user, actor)
    return request


@transaction.atomic
def decline_request(
    *, workspace_id: str, request_id: str, answer: str, user: User, actor: Actor
) -> CreditRequest:
    """Decline a request. Raises RequestNotOpen, OwnWorkspaceError, ValueError without answer."""
    if not answer.strip():
        raise ValueError("Say why: the workspace reads the answer.")
    return _close(workspace_id, request_id, RequestState.DECLINED, actor, answer, user)


def _is_already_granted(request: CreditRequest) -> bool:
    """Whether staff already posted the credits, with the request's id as reference."""
    entries = LedgerEntry.objects.filter(
        workspace_id=request.workspace_id, created_at__gte=request.created_at
    )
    return entries.filter(reference=request.id, amount=request.credits or 0).exists()


def _grant_credits(request: CreditRequest, user: User, actor: Actor) -> None:
    credits = request.credits or 0
    if credits > settings.APPROVAL_ABOVE:
        raise ValueError(
            f"More than {settings.APPROVAL_ABOVE:,} credits take two people. Adjust the account by "
            f"{credits:,} as a purchase, with {request.id} as the reference, then accept."
        )
    grant(
        workspace_id=request.workspace_id,
        credits=credits,
        reason="Credits bought",
        kind=EntryKind.PURCHASE,
        category=Category.PURCHASE,
        reference=request.id,
        created_by=user,
        from_ip=actor.ip,
    )


@transaction.atomic
def _create(
    request: CreditRequest, workspace_id: str, note: str, user: User, actor: Actor
) -> CreditRequest:
    request.workspace_id, request.note, request.asked_by = workspace_id, note.strip(), user
    try:
        with transaction.atomic():
            request.save(force_insert=True)
    except IntegrityError as error:
        if "credits_one_open_request_of_a_kind" not in str(error):
            raise
        raise RequestAlreadyOpen from None
    _record(request, actor, "asked")
    return request


def _close(
    workspace_id: str,
    request_id: str,
    state: RequestState,
    actor: Actor,
    answer: str = "",
    decided_by: User | None = None,
) -> CreditRequest:
    if decided_by is not None and is_member(decided_by, workspace_id):
        raise OwnWorkspaceError
    lock_account(workspace_id=workspace_id)
    matching = CreditRequest.objects.filter(workspace_id=workspace_id, id=request_id)
    answer = answer.strip()
    changes = {"state": state, "ended_at": Now(), "decided_by": decided_by, "answer": answer}
    if not matching.filter(state=RequestState.OPEN).update(**changes):
        raise RequestNotOpen
    request = matching.select_related("plan").get()
    _record(request, actor, state.value, **({"answer": answer} if answer else {}))
    if decided_by is not None:
        send_task_on_commit(SEND_DECISION_TASK, request.id)
    return request


def _record(request: CreditRequest, actor: Actor, verb: str, **details: str) -> None:
    subject = {"plan": request.plan.name} if request.plan else {"credits": request.credits}
    record(
        workspace_id=request.workspace_id,
        actor=actor,
        action=f"credit_request.{verb}",
        target_id=request.id,
        target_label=str(request.get_kind_display()),
        details={**subject, **details},
    )
