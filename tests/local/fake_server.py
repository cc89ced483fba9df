"""The demo without Parley: two servers in a lasting folder, until a signal.

`python -m tests.local.fake_server FOLDER [--stubborn] [--elsewhere FOLDER]` prints one JSON object
when everything is up.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from pathlib import Path

from local import ports, processes, services, state
from local.console import Console
from local.interrupts import Interrupts, StopRequested
from local.supervisor import Program, Service, Supervisor

STUBBORN = (
    "import pathlib, signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    "pathlib.Path(sys.argv[1]).touch(); time.sleep(600)"
)


def main(folder: Path, *, elsewhere: Path, stubborn: bool) -> None:
    interrupts = Interrupts()
    interrupts.install()
    state.prepare_directory(folder)
    lock = state.DirectoryLock(folder)
    lock.acquire()
    ended = processes.stop_orphans(folder / "run", home=state.PROJECT_ROOT)
    supervisor = Supervisor(home=folder, cwd=state.PROJECT_ROOT, interrupts=interrupts)
    try:
        addresses = services.start_servers(
            supervisor, Console(sys.stderr), _around(folder, elsewhere)
        )
        if stubborn:
            deaf = folder / "deaf"
            command = [sys.executable, "-c", STUBBORN, str(deaf)]
            program = Program("stubborn", command, stop_seconds=600)
            supervisor.start(Service(program, ready=deaf.exists))
        pids = [child.process.pid for child in supervisor.children]
        report = {**addresses, "pids": pids, "ended": ended, "pid": os.getpid()}
        print(json.dumps(report), flush=True)
        supervisor.watch(on_restart=lambda name: None)
    except StopRequested as stop:
        supervisor.stop()
        lock.release()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        sys.exit(stop.exit_code)


def _around(folder: Path, elsewhere: Path) -> services.ServerConfig:
    kept = state.load_or_create_secrets(folder)
    return services.ServerConfig(
        directory=folder,
        fallback_directory=elsewhere,
        ports=lambda preferred: ports.random_free_ports(),
        durable=True,
        postgres_password=kept.postgres_password,
        valkey_password=kept.valkey_password,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--elsewhere", type=Path, default=Path("unused"))
    parser.add_argument("--stubborn", action="store_true")
    main(**vars(parser.parse_args()))
