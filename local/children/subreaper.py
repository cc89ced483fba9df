"""Adopt processes that our children started and left behind, and kill them at the end.

Only Linux has subreapers. Elsewhere only the children's process groups are killed.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Collection

from local.children import processes

PR_SET_CHILD_SUBREAPER = 36
KILL_TIMEOUT_SECONDS = 5.0

_is_subreaper = False


def become_subreaper() -> None:
    """Become the parent of every descendant whose parent exits (Linux only)."""
    global _is_subreaper
    if sys.platform == "linux":
        _is_subreaper = ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0


def reap(own: Collection[int]) -> None:
    """Wait for exited processes that were adopted. The code that started `own` waits for those."""
    if not _is_subreaper:
        return
    try:
        while dead := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            if dead.si_pid in own:
                return
            os.waitpid(dead.si_pid, 0)
    except ChildProcessError:
        return


def kill_adopted() -> None:
    """Kill every remaining child, adopted or not. Call it last."""
    if _is_subreaper:
        processes.wait_until(_kill_children, KILL_TIMEOUT_SECONDS)


def _kill_children() -> bool:
    """Kill and reap our children; return True when none is left.

    Processes that they leave become our children and are killed by the next call.
    """
    for pid in processes.child_pids(os.getpid()):
        processes.send_signal(pid, signal.SIGKILL)
    reap(own=())
    return not processes.child_pids(os.getpid())
