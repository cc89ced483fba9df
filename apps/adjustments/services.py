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
from apps.adjustments.errors import (
    AdjustmentRefused,
    DecisionNotAllowed,
    FileAlreadyPosted,
    PreviewOutdated,
)
from apps.adjustments.models import POSTED_STATUSES, Adjustment, AdjustmentLine, Status
from apps.adjustments.queries import (
    APPROVE_PERMISSION,
    LineData,
    lines_for,
    member_workspace_ids,
    preview_adjustment,
)
from apps.audit.services import SYSTEM, Actor, record
from apps.credits.models import Category, EntryKind, LedgerEntry
from apps.credits.services import adjust, grant, lock_account, reverse


@transaction.atomic
def submit(
    *,
    lines: Sequence[LineData],
    user: User,
    actor: Actor,
    adjustment_id: str,
    fingerprint: str,
    file_name: str = "",
    file_digest: str = "",
) -> Adjustment:
    """Post these lines, or ask a second person to where the sum is above the threshold.

    `adjustment_id` is made when the outlook is shown: the same id is posted once, and a second
    time answered with what came of the first. `fingerprint` is the outlook's that was shown. Raises
    Refused, Differs, PostedBefore; then nothing has been posted.
    """
    _lock_accounts(lines)
    if made := Adjustment.objects.filter(pk=adjustment_id, requested_by=user).first():
        return made
    if file_digest:
        check_file_not_posted(file_digest)
    outlook = preview_adjustment(lines=lines, user=user)
    if not outlook.is_allowed:
        raise AdjustmentRefused(outlook)
    if outlook.fingerprint != fingerprint:
        raise PreviewOutdated(outlook)
    adjustment = Adjustment(
        id=adjustment_id,
        status=Status.PENDING if outlook.approval_reasons else Status.POSTED,
        requested_by=user,
        requested_from=actor.ip,
        lapses_at=_approval_deadline() if outlook.approval_reasons else None,
        file_name=file_name[:200],
        file_digest=file_digest,
    )
    _insert_adjustment(adjustment)
    for line in lines:
        _insert_line(adjustment, line)
    if outlook.approval_reasons:
        _record_in_audit_log(
            adjustment, lines, actor, "requested", {"why": list(outlook.approval_reasons)}
        )
    else:
        _post_entries(adjustment, actor)
    return adjustment


@transaction.atomic
def approve(*, adjustment_id: str, user: User, actor: Actor, fingerprint: str) -> Adjustment:
    """Post what somebody else asked for. Everything is asked anew, of both people.

    Raises Undecidable, Refused, Differs; then nothing has been posted.
    """
    adjustment, lines = _lock_pending(adjustment_id, user)
    outlook = preview_adjustment(lines=lines, user=adjustment.requested_by)
    if not outlook.is_allowed:
        raise AdjustmentRefused(outlook)
    if outlook.fingerprint != fingerprint:
        raise PreviewOutdated(outlook)
    _save_decision(adjustment, Status.APPROVED, user, actor, "")
    _record_in_audit_log(
        adjustment, lines, actor, "approved", {"requested_by": adjustment.requested_by.email}
    )
    _post_entries(adjustment, actor)
    return adjustment


@transaction.atomic
def decline(*, adjustment_id: str, user: User, actor: Actor, reason: str) -> Adjustment:
    """Refuse what somebody else asked for, and say why. Raises Undecidable."""
    adjustment, lines = _lock_pending(adjustment_id, user)
    if not reason.strip():
        raise DecisionNotAllowed("Say why, so that the person who asked knows.")
    _save_decision(adjustment, Status.DECLINED, user, actor, reason.strip())
    details = {"requested_by": adjustment.requested_by.email, "reason": reason.strip()}
    _record_in_audit_log(adjustment, lines, actor, "declined", details)
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
            _record_in_audit_log(adjustment, lines_for(adjustment), SYSTEM, "expired", {})
            ended += 1
    return ended


def check_file_not_posted(digest: str) -> None:
    """Raises PostedBefore where this very file was posted, or waits for a second person."""
    same = Adjustment.objects.filter(
        file_digest=digest, status__in=[*POSTED_STATUSES, Status.PENDING]
    )
    if made := same.select_related("requested_by").first():
        raise FileAlreadyPosted(made)


def _approval_deadline() -> datetime:
    return timezone.now() + timedelta(days=settings.APPROVAL_DAYS)


def _lock_accounts(lines: Sequence[LineData]) -> None:
    for workspace_id in sorted({line.workspace_id for line in lines}):
        lock_account(workspace_id=workspace_id)


def _lock_pending(adjustment_id: str, user: User) -> tuple[Adjustment, list[LineData]]:
    adjustment = Adjustment.objects.get(pk=adjustment_id)
    lines = lines_for(adjustment)
    _lock_accounts(lines)
    rows = Adjustment.objects.select_for_update(no_key=True, of=("self",))
    adjustment = rows.select_related("requested_by", "decided_by").get(pk=adjustment_id)
    if why := decision_blocker(adjustment=adjustment, user=user):
        raise DecisionNotAllowed(why)
    return adjustment, lines


def decision_blocker(*, adjustment: Adjustment, user: User) -> str:
    """Why this person cannot decide the request; empty where they can."""
    if adjustment.decided_by and adjustment.decided_at:
        verb = "approved" if adjustment.status == Status.APPROVED else "declined"
        when = f"{adjustment.decided_at:%d %B %Y, %H:%M} UTC"
        return f"{adjustment.decided_by.email} {verb} this on {when}."
    if adjustment.lapses_at is None:
        return "This was posted without a second person."
    if not adjustment.is_pending or adjustment.lapses_at <= timezone.now():
        return f"This lapsed undecided on {adjustment.lapses_at:%d %B %Y, %H:%M} UTC. Ask anew."
    if adjustment.requested_by_id == user.pk:
        return "You asked for this. Somebody else has to decide."
    if not (user.is_active and user.is_staff and user.has_perm(APPROVE_PERMISSION)):
        return "You may not decide what others ask for."
    places = adjustment.lines.values_list("workspace_id", flat=True)
    if member_workspace_ids(user, list(places)):
        return "You belong to a workspace that this adjusts. Somebody else has to decide."
    return ""


def _insert_adjustment(adjustment: Adjustment) -> None:
    try:
        with transaction.atomic():
            adjustment.save(force_insert=True)
    except IntegrityError:
        # The same file, posted by somebody else between our look and now.
        if adjustment.file_digest:
            check_file_not_posted(adjustment.file_digest)
        raise


def _insert_line(adjustment: Adjustment, line: LineData) -> None:
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


def _save_decision(
    adjustment: Adjustment, status: Status, decided_by: User, actor: Actor, reason: str
) -> None:
    adjustment.status = status
    adjustment.decided_by = decided_by
    adjustment.decided_from = actor.ip
    adjustment.decided_at = timezone.now()
    adjustment.decision_reason = reason[:500]
    adjustment.save()


def _post_entries(adjustment: Adjustment, actor: Actor) -> None:
    for line in adjustment.lines.order_by("workspace_id"):
        line.entry = _create_entry(adjustment, line)
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


def _create_entry(adjustment: Adjustment, line: AdjustmentLine) -> LedgerEntry:
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


def _record_in_audit_log(
    adjustment: Adjustment,
    lines: Sequence[LineData],
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
