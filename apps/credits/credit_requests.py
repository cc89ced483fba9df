"""Requests of a workspace to staff: for another plan, or for credits to buy.

    request_plan, request_credits   open a request; one of each kind at a time
    withdraw_request                by the workspace, while it is open
    accept_request                  by staff: changes the plan or grants the credits
    decline_request                 by staff, with an answer
    change_plan_as_staff            by staff, without a request unless it takes two people

The account is locked before the request. Accepting acts in the same transaction. What moves more
credits than one person may (`two_person_rule`) is accepted twice: the first acceptance is noted on
the request, which stays open for somebody else.
"""

from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from apps.accounts.models import User
from apps.audit.services import Actor, record
from apps.credits.errors import (
    ApprovalRequired,
    OwnWorkspaceError,
    RequestAlreadyOpen,
    RequestNotOpen,
)
from apps.credits.letter_texts import recipients
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
from apps.workspaces.models import LetterKind
from apps.workspaces.queries import is_member
from apps.workspaces.services import queue_letters


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
    """Accept a request: change the plan or grant the credits. Return it, open if it takes another.

    Credits that staff already posted with the request's id as reference are not granted again.
    Raises RequestNotOpen, OwnWorkspaceError, ApprovalRequired for the second acceptance of one
    person, and ValueError if the change is not possible.
    """
    request = _lock_open(workspace_id, request_id, user)
    first = _other_acceptor(request, user)
    author, second = (first, user) if first else (user, None)
    try:
        with transaction.atomic():
            _carry_out(request, author, second, actor, now)
    except ApprovalRequired:
        if request.first_accepted_by == user:
            raise
        request.first_accepted_by = user
        request.save(update_fields=["first_accepted_by"])
        _record(request, actor, "accepted_first")
        return request
    request.first_accepted_by = first
    request.save(update_fields=["first_accepted_by"])
    return _close(workspace_id, request_id, RequestState.ACCEPTED, actor, answer, user)


@transaction.atomic
def change_plan_as_staff(
    *, workspace_id: str, plan: Plan, user: User, actor: Actor, now: datetime, reason: str
) -> CreditRequest | None:
    """Change the plan, or return the request that a second person has to accept.

    Raises RequestAlreadyOpen and what `change_plan` raises.
    """
    try:
        with transaction.atomic():
            change_plan(
                workspace_id=workspace_id,
                plan=plan,
                actor=actor,
                now=now,
                user=user,
                reason=reason,
            )
    except ApprovalRequired:
        request = CreditRequest(kind=RequestKind.PLAN, plan=plan, first_accepted_by=user)
        return _create(request, workspace_id, reason, user, actor)
    return None


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


def _carry_out(
    request: CreditRequest, author: User, second: User | None, actor: Actor, now: datetime
) -> None:
    """Change the plan or grant the credits. Raises ApprovalRequired without a second person."""
    workspace_id = request.workspace_id
    if request.plan is not None:
        change_plan(
            workspace_id=workspace_id,
            plan=request.plan,
            actor=actor,
            now=now,
            user=author,
            approved_by=second,
        )
    elif not _is_already_granted(request):
        grant(
            workspace_id=workspace_id,
            credits=request.credits or 0,
            reason="Credits bought",
            kind=EntryKind.PURCHASE,
            category=Category.PURCHASE,
            reference=request.id,
            created_by=author,
            approved_by=second,
            from_ip=actor.ip,
        )


def _lock_open(workspace_id: str, request_id: str, user: User) -> CreditRequest:
    """Lock the account and the request. Raises RequestNotOpen, OwnWorkspaceError."""
    if is_member(user, workspace_id):
        raise OwnWorkspaceError
    lock_account(workspace_id=workspace_id)
    rows = CreditRequest.objects.select_for_update(no_key=True, of=("self",))
    rows = rows.select_related("plan", "first_accepted_by")
    matching = rows.filter(workspace_id=workspace_id, id=request_id, state=RequestState.OPEN)
    request = matching.first()
    if request is None:
        raise RequestNotOpen
    return request


def _other_acceptor(request: CreditRequest, user: User) -> User | None:
    """Return who accepted first, unless it is this user or they may not decide any more."""
    first = request.first_accepted_by
    if first is None or first == user or not (first.is_active and first.is_staff):
        return None
    return None if is_member(first, request.workspace_id) else first


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
        queue_letters(
            workspace_id=workspace_id,
            kind=LetterKind.CREDIT_DECISION,
            subject_id=request.id,
            recipients=recipients(workspace_id),
        )
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
