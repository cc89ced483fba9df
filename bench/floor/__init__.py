"""The minimal program that runs a turn, as a lower bound for its cost: see `app.py`."""
