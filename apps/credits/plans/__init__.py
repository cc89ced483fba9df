"""Plans: monthly grants, expiry and plan changes. docs/reference/credits.md has the rules.

months     monthly anniversaries of a plan
renewal    expires credits and grants months that are due
catalogue  saves a plan that staff edit
changes    puts a workspace on a plan; to more monthly credits now, to fewer at the anniversary

Functions take the time as `now` and first renew the account up to it, so that missed renewals are
made up for with the plan that was in force.
"""

from apps.credits.plans.catalogue import require_plan_allowed, save_plan
from apps.credits.plans.changes import (
    available_plans,
    change_plan,
    preview_plan_changes,
    start_plan,
    start_plan_of_owner,
)
from apps.credits.plans.renewal import renew_account, renew_due_accounts

__all__ = [
    "available_plans",
    "change_plan",
    "preview_plan_changes",
    "renew_account",
    "renew_due_accounts",
    "require_plan_allowed",
    "save_plan",
    "start_plan",
    "start_plan_of_owner",
]
