"""Run PostgreSQL and Valkey in a permanent directory until a signal, as the demo does.

`python -m tests.local.fake_server DIRECTORY [--stubborn] [--fallback DIRECTORY]` prints one JSON
object when everything is ready. `--stubborn` adds a child that ignores SIGTERM.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from pathlib import Path

from local import state
from local.children import processes
from local.children.interrupts import Interrupts, StopRequested
from local.children.supervisor import Program, Service, Supervisor
from local.console import Console
from local.servers import ports, services

STUBBORN = (
    "import pathlib, signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    "pathlib.Path(sys.argv[1]).touch(); time.sleep(600)"
)


def main(directory: Path, *, fallback: Path, stubborn: bool) -> None:
    interrupts = Interrupts()
    interrupts.install()
    state.prepare_directory(directory)
    lock = state.DirectoryLock(directory)
    lock.acquire()
    ended = processes.stop_orphans(directory / "run", home=state.PROJECT_ROOT)
    supervisor = Supervisor(home=directory, cwd=state.PROJECT_ROOT, interrupts=interrupts)
    try:
        addresses = services.start_servers(
            supervisor, Console(sys.stderr), _server_config(directory, fallback)
        )
        if stubborn:
            ready_file = directory / "ready"
            command = [sys.executable, "-c", STUBBORN, str(ready_file)]
            program = Program("stubborn", command, stop_seconds=600)
            supervisor.start(Service(program, ready=ready_file.exists))
        pids = [child.process.pid for child in supervisor.children]
        report = {**addresses, "pids": pids, "ended": ended, "pid": os.getpid()}
        print(json.dumps(report), flush=True)
        supervisor.watch(on_restart=lambda name: None)
    except StopRequested as stop:
        supervisor.stop()
        lock.release()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        sys.exit(stop.exit_code)


def _server_config(directory: Path, fallback: Path) -> services.ServerConfig:
    secrets = state.load_or_create_secrets(directory)
    return services.ServerConfig(
        directory=directory,
        fallback_directory=fallback,
        ports=lambda preferred: ports.random_free_ports(),
        durable=True,
        postgres_password=secrets.postgres_password,
        valkey_password=secrets.valkey_password,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("directory", type=Path)
    parser.add_argument("--fallback", type=Path, default=Path("unused"))
    parser.add_argument("--stubborn", action="store_true")
    main(**vars(parser.parse_args()))
