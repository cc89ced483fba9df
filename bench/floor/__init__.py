"""The least that a turn can cost: see `app.py`."""
