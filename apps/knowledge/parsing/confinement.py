"""Confine the process that parses, before it reads a byte of the document."""

import contextlib
import ctypes
import os
import resource
import signal
import sys

from apps.knowledge.parsing import limits

_PR_SET_PDEATHSIG = 1
_NICENESS = 10
_CPU_GRACE_SECONDS = 2


def confine(parent: int, *, memory_bytes: int, cpu_seconds: int) -> None:
    """Limit this process's memory, CPU time, files and output, and let it end with its parent.

    Ends at once if the parent has already gone.
    """
    _end_with(parent)
    os.nice(_NICENESS)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_NOFILE, limits.MAX_OPEN_FILES)
    _limit(resource.RLIMIT_FSIZE, limits.MAX_OUTPUT_BYTES)
    # The signal of the soft limit tells the parent what happened; the hard one's is SIGKILL.
    _limit(resource.RLIMIT_CPU, cpu_seconds, cpu_seconds + _CPU_GRACE_SECONDS)
    _limit(resource.RLIMIT_AS, memory_bytes)


def _limit(kind: int, soft: int, hard: int | None = None) -> None:
    # macOS does not have all of them; time and output are limited there, too.
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(kind, (soft, soft if hard is None else hard))


def _end_with(parent: int) -> None:
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
