"""Fork workers that index due sources until they are killed: one for each line of input.

    python -m tests.knowledge.pipeline.web.indexing_process

They are forked from a process that has loaded everything, as Celery's are.
"""

from __future__ import annotations

import os
import signal
import sys
import time

import django

django.setup()

from apps.knowledge.pipeline.indexing import index_sources  # noqa: E402


def main() -> None:
    """Print the id of each worker."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # so that killed ones leave no zombies
    for _ in sys.stdin:
        worker = os.fork()
        if worker == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            while True:
                index_sources(max_seconds=20)
                time.sleep(0.02)
        print(worker, flush=True)


if __name__ == "__main__":
    main()
