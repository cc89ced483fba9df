"""Tests of the supervisor: start, restart and stop children."""

from __future__ import annotations

import json
import signal
import sys
import time
from pathlib import Path

import psutil
import pytest

from local.children.interrupts import StopRequested
from local.children.processes import wait_until
from local.children.supervisor import Program, Service, Supervisor
from local.errors import ChildFailed, PortTaken

SLEEP = (sys.executable, "-c", "import time; time.sleep(600)")


def service(*command: str, name: str = "service", restart: bool = False) -> Service:
    return Service(Program(name, command), ready=lambda: True, restart=restart)


def script(code: str) -> tuple[str, ...]:
    return (sys.executable, "-c", code)


def test_start_returns_when_the_service_is_ready(supervisor: Supervisor, tmp_path: Path) -> None:
    ready_file = tmp_path / "ready"
    code = f"import pathlib, time; pathlib.Path({str(ready_file)!r}).touch(); time.sleep(600)"
    supervisor.start(Service(Program("slow", script(code)), ready=ready_file.exists))
    assert ready_file.exists()


def test_start_raises_with_the_log_of_a_program_that_exits(supervisor: Supervisor) -> None:
    code = "import sys; sys.exit('no such setting')"
    failing = Service(Program("failing", script(code)), ready=lambda: False)
    with pytest.raises(ChildFailed, match="failing ended with code 1") as caught:
        supervisor.start(failing)
    assert caught.value.log_tail == "no such setting"
    assert supervisor.children == []


def test_wait_ready_stops_a_service_that_is_not_ready_in_time(supervisor: Supervisor) -> None:
    never = Service(Program("never", SLEEP), ready=lambda: False, start_seconds=0.2)
    child = supervisor.launch(never)
    with pytest.raises(ChildFailed, match="was not ready"):
        supervisor.wait_ready(child)
    assert child.process.returncode == -signal.SIGTERM


def test_start_raises_port_taken_for_a_used_port(supervisor: Supervisor) -> None:
    code = "import sys; sys.exit('bind: Address already in use')"
    with pytest.raises(PortTaken):
        supervisor.start(Service(Program("late", script(code)), ready=lambda: False))


def test_watch_raises_for_a_child_that_exits(supervisor: Supervisor) -> None:
    supervisor.start(service(*SLEEP, name="other"))
    supervisor.start(service(*script("import time; time.sleep(0.3); exit(3)"), name="lost"))
    with pytest.raises(ChildFailed, match="lost ended with code 3"):
        supervisor.watch(on_restart=lambda name: None)
    assert [child.program.name for child in supervisor.children] == ["other"]


def test_watch_restarts_each_killed_child(supervisor: Supervisor) -> None:
    names = ["first", "second"]
    children = [supervisor.launch(service(*SLEEP, name=name, restart=True)) for name in names]
    before = supervisor.pids()
    restarted: list[str] = []

    def stop_at_the_last(name: str) -> None:
        restarted.append(name)
        if len(restarted) == len(names):
            raise StopRequested(signal.SIGTERM)

    for child in children:
        child.process.kill()
        child.process.wait()
    with pytest.raises(StopRequested):
        supervisor.watch(on_restart=stop_at_the_last)
    assert restarted == names
    assert [child.process.poll() for child in children] == [None, None]
    assert set(before) & set(supervisor.pids()) == set()


def test_child_that_keeps_exiting_is_restarted_after_growing_pauses(
    supervisor: Supervisor,
) -> None:
    child = supervisor.launch(service(*script("exit(3)"), restart=True))
    pauses = []
    for _ in range(8):
        child.process.wait()
        now = time.monotonic()
        child.note_exit()
        assert child.restart_at is not None
        pauses.append(round(child.restart_at - now, 1))
        child.restart_at = 0.0  # the pause is over
        assert supervisor.restart_dead() == ["service"]
    assert pauses == [0.0, 0.5, 1.5, 3.5, 7.5, 10.0, 10.0, 10.0]


def test_stop_kills_processes_started_by_a_child(supervisor: Supervisor, tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    code = (
        "import pathlib, subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        f"pathlib.Path({str(pid_file)!r}).write_text(str(child.pid)); time.sleep(600)"
    )
    supervisor.start(Service(Program("parent", script(code)), ready=lambda: _has_content(pid_file)))
    supervisor.stop()
    child = int(pid_file.read_text())
    assert wait_until(lambda: not _runs(child), 10)


def test_stop_stops_the_last_child_first(supervisor: Supervisor, tmp_path: Path) -> None:
    order = tmp_path / "order"
    for name in ("first", "second"):
        code = (
            "import pathlib, signal, sys, time\n"
            f"log = pathlib.Path({str(order)!r})\n"
            f"def end(*_): log.open('a').write('{name} '); sys.exit()\n"
            f"signal.signal(signal.SIGTERM, end); pathlib.Path('{name}').touch(); time.sleep(600)"
        )
        ready = tmp_path / name
        supervisor.start(Service(Program(name, script(code)), ready=ready.exists))
    supervisor.stop()
    assert order.read_text() == "second first "


def test_run_returns_the_output(supervisor: Supervisor) -> None:
    program = Program("printing", script("import json; print(json.dumps({'a': 1}))"))
    assert json.loads(supervisor.run(program)) == {"a": 1}


def test_run_passes_standard_input(supervisor: Supervisor) -> None:
    code = "import sys; print(sys.stdin.read()[::-1])"
    assert supervisor.run(Program("reversing", script(code), stdin=b"abc")) == "cba\n"


def _has_content(path: Path) -> bool:
    return path.exists() and path.read_text() != ""


def _runs(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def test_stop_kills_a_child_after_stop_seconds(supervisor: Supervisor, tmp_path: Path) -> None:
    ready_file = tmp_path / "ready"
    code = (
        "import pathlib, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        f"pathlib.Path({str(ready_file)!r}).touch(); time.sleep(600)"
    )
    stubborn = Program("stubborn", script(code), stop_seconds=0.2)
    child = supervisor.launch(Service(stubborn, ready=ready_file.exists))
    supervisor.wait_ready(child)
    supervisor.stop()
    assert child.process.returncode == -signal.SIGKILL
