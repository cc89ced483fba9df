"""What this process knows of itself."""

from __future__ import annotations


class Process:
    """`is_stopping`: asked to stop, it finishes what runs and takes on nothing new."""

    is_stopping = False


process = Process()
