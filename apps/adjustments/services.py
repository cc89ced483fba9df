"""Manual credit adjustments: preview, confirm, post; two-person approval above a threshold.

    submit ─ rules ─┬─ posted                  up to the threshold
                    └─ pending ─┬─ approved    by a second person, after checking the rules again
                                ├─ declined    by a second person
                                └─ expired     by Celery beat

Accounts are locked first, in the order of their workspaces, as everywhere, and the rules are
checked under these locks. `credits.services` writes the ledger entries. Request, decision and
entries are written to the audit log in the same transaction.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict
from datetime import timedelta

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from apps.accounts.models import User
from apps.adjustments.errors import (
    AdjustmentRefused,
    DecisionNotAllowed,
    FileAlreadyPosted,
    PreviewOutdated,
    RepeatsNotConfirmed,
)
from apps.adjustments.lines import LineData, lines_for
from apps.adjustments.models import (
    APPROVE_PERMISSION,
    POSTED_STATUSES,
    Adjustment,
    AdjustmentLine,
    Status,
)
from apps.adjustments.previews import Preview, preview_adjustment
from apps.adjustments.queries import member_workspace_ids
from apps.adjustments.repeats import find_repeats
from apps.audit.services import SYSTEM, Actor, record
from apps.credits.models import Category, EntryKind, LedgerEntry
from apps.credits.services import EntryDetails, adjust, grant, lock_account, reverse
from apps.infrastructure.isolation import sum_each
from apps.infrastructure.postgres.clock import database_now

EXPIRY_BATCH_SIZE = 1000


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
    confirmed_repeats: Collection[str] = (),
) -> Adjustment:
    """Post these lines, or request approval if their sum is above the threshold.

    `adjustment_id` is created with the preview: submitting the same id again returns the first
    adjustment. `fingerprint` is that of the preview the user confirmed. The lines of a file may
    repeat earlier adjustments only if their ids are `confirmed_repeats`. Raises AdjustmentRefused,
    PreviewOutdated, FileAlreadyPosted or RepeatsNotConfirmed without posting anything.
    """
    _lock_accounts(lines)
    if existing := Adjustment.objects.filter(pk=adjustment_id, requested_by=user).first():
        return existing
    if file_digest:
        check_file_not_posted(file_digest)
        _check_repeats(lines, confirmed_repeats)
    preview = _preview_again(lines, user, fingerprint)
    needs_approval = bool(preview.approval_reasons)
    approval_period = timedelta(days=settings.APPROVAL_DAYS)
    adjustment = Adjustment(
        id=adjustment_id,
        status=Status.PENDING if needs_approval else Status.POSTED,
        requested_by=user,
        requested_from=actor.ip,
        lapses_at=database_now() + approval_period if needs_approval else None,
        file_name=file_name[:200],
        file_digest=file_digest,
    )
    _insert_adjustment(adjustment)
    for line in lines:
        AdjustmentLine.objects.create(adjustment=adjustment, **asdict(line))
    if needs_approval:
        details = {"why": list(preview.approval_reasons)}
        _record_in_audit_log(adjustment, lines, actor, "requested", details)
    else:
        _post_entries(adjustment, actor)
    return adjustment


@transaction.atomic
def approve(*, adjustment_id: str, user: User, actor: Actor, fingerprint: str) -> Adjustment:
    """Post a pending adjustment as a second person. The rules are checked again for both people.

    Raises DecisionNotAllowed, AdjustmentRefused or PreviewOutdated without posting anything.
    """
    adjustment, lines = _lock_pending(adjustment_id, user)
    _preview_again(lines, adjustment.requested_by, fingerprint)
    _save_decision(adjustment, Status.APPROVED, user, actor, "")
    details = {"requested_by": adjustment.requested_by.email}
    _record_in_audit_log(adjustment, lines, actor, "approved", details)
    _post_entries(adjustment, actor)
    return adjustment


@transaction.atomic
def decline(*, adjustment_id: str, user: User, actor: Actor, reason: str) -> Adjustment:
    """Decline a pending adjustment as a second person. Raises DecisionNotAllowed."""
    adjustment, lines = _lock_pending(adjustment_id, user)
    reason = reason.strip()
    if not reason:
        raise DecisionNotAllowed("Enter a reason for the person who requested it.")
    _save_decision(adjustment, Status.DECLINED, user, actor, reason)
    details = {"requested_by": adjustment.requested_by.email, "reason": reason}
    _record_in_audit_log(adjustment, lines, actor, "declined", details)
    return adjustment


def expire_requests() -> int:
    """Expire pending adjustments after their deadline; return how many. Two runs share the work."""
    ids = list(_overdue().values_list("pk", flat=True)[:EXPIRY_BATCH_SIZE])
    return sum_each(ids, _expire, event="adjustment_not_expired")


def _overdue() -> QuerySet[Adjustment]:
    return Adjustment.objects.filter(status=Status.PENDING, lapses_at__lte=Now())


@transaction.atomic
def _expire(adjustment_id: str) -> bool:
    rows = _overdue().select_for_update(skip_locked=True, no_key=True)
    adjustment = rows.filter(pk=adjustment_id).first()
    if adjustment is None:
        return False
    adjustment.status = Status.EXPIRED
    adjustment.save(update_fields=["status"])
    _record_in_audit_log(adjustment, lines_for(adjustment), SYSTEM, "expired", {})
    return True


def check_file_not_posted(*digests: str) -> None:
    """Raise FileAlreadyPosted if a file with one of these digests was posted or awaits approval."""
    same_file = Adjustment.objects.filter(
        file_digest__in=digests, status__in=[*POSTED_STATUSES, Status.PENDING]
    )
    if existing := same_file.select_related("requested_by").first():
        raise FileAlreadyPosted(existing)


def decision_blocker(*, adjustment: Adjustment, user: User) -> str:
    """Return why this user may not decide the adjustment; "" if they may."""
    if adjustment.decided_by and adjustment.decided_at:
        verb = "approved" if adjustment.status == Status.APPROVED else "declined"
        when = f"{adjustment.decided_at:%d %B %Y, %H:%M} UTC"
        return f"{adjustment.decided_by.email} {verb} this on {when}."
    if adjustment.lapses_at is None:
        return "This was posted without approval."
    if not adjustment.is_pending or adjustment.lapses_at <= database_now():
        return f"This expired on {adjustment.lapses_at:%d %B %Y, %H:%M} UTC. Request it again."
    if adjustment.requested_by_id == user.pk:
        return "You requested this. Someone else must review it."
    if not (user.is_active and user.is_staff and user.has_perm(APPROVE_PERMISSION)):
        return "You don't have permission to review adjustments."
    workspace_ids = adjustment.lines.values_list("workspace_id", flat=True)
    if member_workspace_ids(user, list(workspace_ids)):
        return "You belong to a workspace in this adjustment. Someone else must review it."
    return ""


def _check_repeats(lines: Sequence[LineData], confirmed: Collection[str]) -> None:
    """Raise RepeatsNotConfirmed, under the locks of the accounts, which all postings take."""
    new = [each for each in find_repeats(lines) if each.adjustment.pk not in confirmed]
    if new:
        raise RepeatsNotConfirmed(new)


def _preview_again(lines: Sequence[LineData], user: User, fingerprint: str) -> Preview:
    """Check the rules again. Raises AdjustmentRefused or PreviewOutdated."""
    preview = preview_adjustment(lines=lines, user=user)
    if not preview.is_allowed:
        raise AdjustmentRefused(preview)
    if preview.fingerprint != fingerprint:
        raise PreviewOutdated(preview)
    return preview


def _lock_accounts(lines: Sequence[LineData]) -> None:
    for workspace_id in sorted({line.workspace_id for line in lines}):
        lock_account(workspace_id=workspace_id)


def _lock_pending(adjustment_id: str, user: User) -> tuple[Adjustment, list[LineData]]:
    """Lock the accounts, then the adjustment. Raises DecisionNotAllowed."""
    adjustment = Adjustment.objects.get(pk=adjustment_id)
    lines = lines_for(adjustment)
    _lock_accounts(lines)
    rows = Adjustment.objects.select_for_update(no_key=True, of=("self",))
    adjustment = rows.select_related("requested_by", "decided_by").get(pk=adjustment_id)
    if blocker := decision_blocker(adjustment=adjustment, user=user):
        raise DecisionNotAllowed(blocker)
    return adjustment, lines


def _insert_adjustment(adjustment: Adjustment) -> None:
    try:
        with transaction.atomic():
            adjustment.save(force_insert=True)
    except IntegrityError:
        # Somebody else may have posted the same file since it was checked.
        if adjustment.file_digest:
            check_file_not_posted(adjustment.file_digest)
        raise


def _save_decision(
    adjustment: Adjustment, status: Status, decided_by: User, actor: Actor, reason: str
) -> None:
    adjustment.status = status
    adjustment.decided_by = decided_by
    adjustment.decided_from = actor.ip
    adjustment.decided_at = database_now()
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
    user, ip = adjustment.requested_by, adjustment.requested_from
    approved_by = adjustment.decided_by if adjustment.status == Status.APPROVED else None
    if line.reverses_id:
        return reverse(
            workspace_id=line.workspace_id,
            entry_id=line.reverses_id,
            reason=line.reason,
            reference=line.reference,
            created_by=user,
            approved_by=approved_by,
            from_ip=ip,
        )
    details: EntryDetails = {
        "category": line.category,
        "reference": line.reference,
        "expires_at": line.expires_at,
        "created_by": user,
        "approved_by": approved_by,
        "from_ip": ip,
    }
    workspace_id, credits, reason = line.workspace_id, line.credits, line.reason
    if line.category == Category.PURCHASE:
        kind = EntryKind.PURCHASE
        return grant(
            workspace_id=workspace_id, credits=credits, reason=reason, kind=kind, **details
        )
    return adjust(workspace_id=workspace_id, credits=credits, reason=reason, **details)


def _record_in_audit_log(
    adjustment: Adjustment,
    lines: Sequence[LineData],
    actor: Actor,
    verb: str,
    details: Mapping[str, object],
) -> None:
    """Record a request or decision in the audit log of each workspace that it concerns."""
    for line in lines:
        record(
            workspace_id=line.workspace_id,
            actor=actor,
            action=f"adjustment.{verb}",
            target_id=adjustment.pk,
            target_label=f"{line.credits:+,} credits",
            details={"kind": line.category, "reason": line.reason, **details},
        )
