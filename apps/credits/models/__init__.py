"""The tables of credits.

books     plan, account, ledger, lots
checks    what each night's check of the books found
asking    alerts to a workspace, and what it asks for
"""

from apps.credits.models.ledger import (
    CREDIT_KINDS,
    DEBIT_KINDS,
    MAX_CREDITS,
    Account,
    Category,
    EntryKind,
    LedgerEntry,
    Lot,
    Plan,
    Statement,
)
from apps.credits.models.reconciliation import (
    AccountCheck,
    NightlyCheck,
)
from apps.credits.models.requests import (
    DECIDED_STATES,
    Alert,
    AlertKind,
    CreditRequest,
    RequestKind,
    RequestState,
)

__all__ = [
    "DECIDED_STATES",
    "CREDIT_KINDS",
    "MAX_CREDITS",
    "DEBIT_KINDS",
    "Account",
    "AccountCheck",
    "Alert",
    "AlertKind",
    "Category",
    "CreditRequest",
    "EntryKind",
    "LedgerEntry",
    "Lot",
    "NightlyCheck",
    "Plan",
    "RequestKind",
    "RequestState",
    "Statement",
]
