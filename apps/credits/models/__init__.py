"""The tables of credits.

ledger            account, ledger entry, lot
plans             plans
reconciliation    the nightly check of all accounts, and its result for each
approvals         the second person for a ledger entry of staff
alerts            alerts to a workspace when its balance falls
credit_requests   a workspace's requests for a plan or credits
welcome           who has had the credits of a first workspace
"""

from apps.credits.models.alerts import Alert, AlertKind
from apps.credits.models.approvals import EntryApproval
from apps.credits.models.credit_requests import (
    DECIDED_STATES,
    CreditRequest,
    RequestKind,
    RequestState,
)
from apps.credits.models.ledger import (
    CREDIT_KINDS,
    DEBIT_KINDS,
    Account,
    Category,
    EntryKind,
    LedgerEntry,
    Lot,
    Statement,
)
from apps.credits.models.plans import MAX_CREDITS, Plan
from apps.credits.models.reconciliation import AccountCheck, NightlyCheck
from apps.credits.models.welcome import WelcomeGrant

__all__ = [
    "CREDIT_KINDS",
    "DEBIT_KINDS",
    "DECIDED_STATES",
    "MAX_CREDITS",
    "Account",
    "AccountCheck",
    "Alert",
    "AlertKind",
    "Category",
    "CreditRequest",
    "EntryApproval",
    "EntryKind",
    "LedgerEntry",
    "Lot",
    "NightlyCheck",
    "Plan",
    "RequestKind",
    "RequestState",
    "Statement",
    "WelcomeGrant",
]
