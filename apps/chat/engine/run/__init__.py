"""Run turns, and follow those of other processes."""

from apps.chat.engine.run.process import TurnProcess

turn_process = TurnProcess()
"""The turns of this web process."""

running_turns = turn_process.running_turns
relay = turn_process.relay

__all__ = ["relay", "running_turns", "turn_process"]
