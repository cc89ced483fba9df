"""Plans, accounts and the ledger: hold, then charge or release."""
