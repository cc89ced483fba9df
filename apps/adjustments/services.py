"""Staff's hand on the books: foreseen, confirmed, posted once; above the threshold by two people.

    submit ─ the rules ─┬─ posted                      at most the threshold
                        └─ pending ─┬─ approved        a second person; the rules once more
                                    ├─ declined        a second person
                                    └─ expired         the clock

Accounts are locked first, in the order of their workspaces, as everywhere; the rules are asked
under these locks, so that nothing they rest on moves between asking and posting. Each entry is
posted by `credits.services`. Request, decision and posting are written into the audit log in the
same transaction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from apps.accounts.models import User
from apps.adjustments.errors import Differs, PostedBefore, Refused, Undecidable
from apps.adjustments.models import DONE, Adjustment, AdjustmentLine, Status
from apps.adjustments.queries import APPROVE, Line, foresee, lines_of, workspaces_of
from apps.audit.services import SYSTEM, Actor, record
from apps.credits.models import Category, EntryKind, LedgerEntry
from apps.credits.services import adjust, grant, lock_account, reverse


@transaction.atomic
def submit(
    *,
    lines: Sequence[Line],
    by: User,
    actor: Actor,
    adjustment_id: str,
    mark: str,
    file_name: str = "",
    file_digest: str = "",
) -> Adjustment:
    """Post these lines, or ask a second person to where the sum is above the threshold.

    `adjustment_id` is made when the outlook is shown: the same id is posted once, and a second
    time answered with what came of the first. `mark` is the outlook's that was shown. Raises
    Refused, Differs, PostedBefore; then nothing has been posted.
    """
    _lock(lines)
    if made := Adjustment.objects.filter(pk=adjustment_id, requested_by=by).first():
        return made
    if file_digest:
        refuse_posted_file(file_digest)
    outlook = foresee(lines=lines, by=by)
    if not outlook.is_allowed:
        raise Refused(outlook)
    if outlook.mark != mark:
        raise Differs(outlook)
    adjustment = Adjustment(
        id=adjustment_id,
        status=Status.PENDING if outlook.second else Status.POSTED,
        requested_by=by,
        requested_from=actor.ip,
        lapses_at=_lapse() if outlook.second else None,
        file_name=file_name[:200],
        file_digest=file_digest,
    )
    _save_new(adjustment)
    for line in lines:
        _save_line(adjustment, line)
    if outlook.second:
        _record(adjustment, lines, actor, "requested", {"why": list(outlook.second)})
    else:
        _post(adjustment, actor)
    return adjustment


@transaction.atomic
def approve(*, adjustment_id: str, by: User, actor: Actor, mark: str) -> Adjustment:
    """Post what somebody else asked for. Everything is asked anew, of both people.

    Raises Undecidable, Refused, Differs; then nothing has been posted.
    """
    adjustment, lines = _lock_pending(adjustment_id, by)
    outlook = foresee(lines=lines, by=adjustment.requested_by)
    if not outlook.is_allowed:
        raise Refused(outlook)
    if outlook.mark != mark:
        raise Differs(outlook)
    _decide(adjustment, Status.APPROVED, by, actor, "")
    _record(adjustment, lines, actor, "approved", {"requested_by": adjustment.requested_by.email})
    _post(adjustment, actor)
    return adjustment


@transaction.atomic
def decline(*, adjustment_id: str, by: User, actor: Actor, reason: str) -> Adjustment:
    """Refuse what somebody else asked for, and say why. Raises Undecidable."""
    adjustment, lines = _lock_pending(adjustment_id, by)
    if not reason.strip():
        raise Undecidable("Say why, so that the person who asked knows.")
    _decide(adjustment, Status.DECLINED, by, actor, reason.strip())
    details = {"requested_by": adjustment.requested_by.email, "reason": reason.strip()}
    _record(adjustment, lines, actor, "declined", details)
    return adjustment


def expire_requests() -> int:
    """End the requests that nobody decided in time. Returns how many. Safe to run twice at once."""
    ended = 0
    lapsed = Adjustment.objects.filter(status=Status.PENDING, lapses_at__lte=timezone.now())
    for adjustment_id in lapsed.values_list("pk", flat=True)[:1000]:
        with transaction.atomic():
            rows = lapsed.select_for_update(skip_locked=True, no_key=True)
            adjustment = rows.filter(pk=adjustment_id).first()
            if adjustment is None:
                continue
            adjustment.status = Status.EXPIRED
            adjustment.save(update_fields=["status"])
            _record(adjustment, lines_of(adjustment), SYSTEM, "expired", {})
            ended += 1
    return ended


def refuse_posted_file(digest: str) -> None:
    """Raises PostedBefore where this very file was posted, or waits for a second person."""
    same = Adjustment.objects.filter(file_digest=digest, status__in=[*DONE, Status.PENDING])
    if made := same.select_related("requested_by").first():
        raise PostedBefore(made)


def _lapse() -> datetime:
    return timezone.now() + timedelta(days=settings.APPROVAL_DAYS)


def _lock(lines: Sequence[Line]) -> None:
    for workspace_id in sorted({line.workspace_id for line in lines}):
        lock_account(workspace_id=workspace_id)


def _lock_pending(adjustment_id: str, by: User) -> tuple[Adjustment, list[Line]]:
    adjustment = Adjustment.objects.get(pk=adjustment_id)
    lines = lines_of(adjustment)
    _lock(lines)
    rows = Adjustment.objects.select_for_update(no_key=True, of=("self",))
    adjustment = rows.select_related("requested_by", "decided_by").get(pk=adjustment_id)
    if why := why_not_decide(adjustment=adjustment, by=by):
        raise Undecidable(why)
    return adjustment, lines


def why_not_decide(*, adjustment: Adjustment, by: User) -> str:
    """Why this person cannot decide the request; empty where they can."""
    if adjustment.decided_by and adjustment.decided_at:
        verb = "approved" if adjustment.status == Status.APPROVED else "declined"
        when = f"{adjustment.decided_at:%d %B %Y, %H:%M} UTC"
        return f"{adjustment.decided_by.email} {verb} this on {when}."
    if adjustment.lapses_at is None:
        return "This was posted without a second person."
    if not adjustment.is_pending or adjustment.lapses_at <= timezone.now():
        return f"This lapsed undecided on {adjustment.lapses_at:%d %B %Y, %H:%M} UTC. Ask anew."
    if adjustment.requested_by_id == by.pk:
        return "You asked for this. Somebody else has to decide."
    if not (by.is_active and by.is_staff and by.has_perm(APPROVE)):
        return "You may not decide what others ask for."
    places = adjustment.lines.values_list("workspace_id", flat=True)
    if workspaces_of(by, list(places)):
        return "You belong to a workspace that this adjusts. Somebody else has to decide."
    return ""


def _save_new(adjustment: Adjustment) -> None:
    try:
        with transaction.atomic():
            adjustment.save(force_insert=True)
    except IntegrityError:
        # The same file, posted by somebody else between our look and now.
        if adjustment.file_digest:
            refuse_posted_file(adjustment.file_digest)
        raise


def _save_line(adjustment: Adjustment, line: Line) -> None:
    AdjustmentLine.objects.create(
        adjustment=adjustment,
        number=line.number,
        workspace_id=line.workspace_id,
        credits=line.credits,
        category=line.category,
        reason=line.reason,
        reference=line.reference,
        expires_at=line.expires_at,
        reverses_id=line.reverses_id,
    )


def _decide(adjustment: Adjustment, status: Status, by: User, actor: Actor, reason: str) -> None:
    adjustment.status = status
    adjustment.decided_by = by
    adjustment.decided_from = actor.ip
    adjustment.decided_at = timezone.now()
    adjustment.decision_reason = reason[:500]
    adjustment.save()


def _post(adjustment: Adjustment, actor: Actor) -> None:
    for line in adjustment.lines.order_by("workspace_id"):
        line.entry = _entry(adjustment, line)
        line.save(update_fields=["entry"])
        details = {"credits": line.credits, "kind": line.category, "entry": line.entry.pk}
        if adjustment.status == Status.APPROVED:
            details["requested_by"] = adjustment.requested_by.email
        record(
            workspace_id=line.workspace_id,
            actor=actor,
            action="adjustment.posted",
            target_id=adjustment.pk,
            target_label=f"{line.credits:+,} credits",
            details=details,
        )


def _entry(adjustment: Adjustment, line: AdjustmentLine) -> LedgerEntry:
    by, ip = adjustment.requested_by, adjustment.requested_from
    if line.reverses_id:
        return reverse(
            workspace_id=line.workspace_id,
            entry_id=line.reverses_id,
            reason=line.reason,
            reference=line.reference,
            created_by=by,
            from_ip=ip,
        )
    if line.category == Category.PURCHASE:
        return grant(
            workspace_id=line.workspace_id,
            credits=line.credits,
            kind=EntryKind.PURCHASE,
            reason=line.reason,
            category=line.category,
            reference=line.reference,
            expires_at=line.expires_at,
            created_by=by,
            from_ip=ip,
        )
    return adjust(
        workspace_id=line.workspace_id,
        credits=line.credits,
        reason=line.reason,
        category=line.category,
        reference=line.reference,
        expires_at=line.expires_at,
        created_by=by,
        from_ip=ip,
    )


def _record(
    adjustment: Adjustment,
    lines: Sequence[Line],
    actor: Actor,
    verb: str,
    details: Mapping[str, object],
) -> None:
    """What was asked for or decided, once in the log of each workspace that it touches."""
    for line in lines:
        record(
            workspace_id=line.workspace_id,
            actor=actor,
            action=f"adjustment.{verb}",
            target_id=adjustment.pk,
            target_label=f"{line.credits:+,} credits",
            details={"kind": line.category, "reason": line.reason, **details},
        )
