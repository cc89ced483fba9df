"""Plans as staff edit them. Their credits reach every workspace on them, with nobody's name."""

from django.conf import settings
from django.db import transaction

from apps.audit.services import Actor, record
from apps.credits.models import Plan


def require_plan_allowed(plan: Plan) -> None:
    """Raise ValueError if an existing plan would grant more than one person may move alone.

    A new plan may: moving a workspace to it takes two people then.
    """
    before = Plan.objects.filter(pk=plan.pk).values_list("monthly_credits", flat=True).first()
    limit = int(settings.APPROVAL_ABOVE)
    if before is not None and plan.monthly_credits > max(before, limit):
        raise ValueError(
            f"A plan's credits cannot be raised above {limit:,} a month by one person. "
            "Make another plan; moving a workspace to it takes two people."
        )


@transaction.atomic
def save_plan(*, plan: Plan, actor: Actor) -> Plan:
    """Save a new or changed plan, with an audit entry. Raises as `require_plan_allowed`."""
    before = Plan.objects.select_for_update(no_key=True).filter(pk=plan.pk).first()
    require_plan_allowed(plan)
    plan.save()
    fields = (
        *("monthly_credits", "credits_last_months", "max_running_turns"),
        *("max_sources", "max_knowledge_bytes", "max_chunks", "is_active"),
    )
    record(
        workspace_id=None,
        actor=actor,
        action="plan.edited" if before else "plan.created",
        target_id=plan.pk,
        target_label=plan.name,
        details={
            name: [getattr(before, name, None), getattr(plan, name)]
            for name in fields
            if getattr(before, name, None) != getattr(plan, name)
        },
    )
    return plan
