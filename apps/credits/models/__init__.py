"""The tables of credits.

books     plan, account, ledger, lots
checks    what each night's check of the books found
asking    alerts to a workspace, and what it asks for
"""

from apps.credits.models.ledger import (
    GIVES,
    MOST,
    TAKES,
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
    DECIDED,
    Alert,
    AlertKind,
    CreditRequest,
    RequestKind,
    RequestState,
)

__all__ = [
    "DECIDED",
    "GIVES",
    "MOST",
    "TAKES",
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
