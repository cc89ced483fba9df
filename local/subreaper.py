"""Processes that our children started and left: adopted while we run, ended when we end.

Only Linux lets a process adopt; elsewhere the children's process groups must do.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Collection

from local import processes

PR_SET_CHILD_SUBREAPER = 36
KILL_TIMEOUT_SECONDS = 5.0

_adopting = False


def become_subreaper() -> None:
    """From now on a descendant whose parent has ended becomes our child."""
    global _adopting
    if sys.platform == "linux":
        _adopting = ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0


def reap(own: Collection[int]) -> None:
    """Take the dead among the adopted from the list of processes; `own` children are waited for
    by those who started them."""
    if not _adopting:
        return
    try:
        while dead := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            if dead.si_pid in own:
                return
            os.waitpid(dead.si_pid, 0)
    except ChildProcessError:
        return


def kill_adopted() -> None:
    """End every child that is left. Call it last: it takes all children for adopted ones."""
    if _adopting:
        processes.wait_until(_kill_children, KILL_TIMEOUT_SECONDS)


def _kill_children() -> bool:
    """Kill and bury our present children; what they leave becomes ours for the next try."""
    for pid in processes.child_pids(os.getpid()):
        processes.send_signal(pid, signal.SIGKILL)
    reap(own=())
    return not processes.child_pids(os.getpid())
