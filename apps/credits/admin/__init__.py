"""The admin of credits. Importing it registers the models."""

from apps.credits.admin import accounts, ledger, requests

__all__ = ["accounts", "ledger", "requests"]
