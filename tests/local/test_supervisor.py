"""A supervisor's children: ready, lost, started again, stopped."""

from __future__ import annotations

import json
import signal
import sys
import time
from pathlib import Path

import psutil
import pytest

from local.errors import ChildFailed, PortTaken
from local.processes import wait_until
from local.supervisor import Program, Service, Supervisor

SLEEP = (sys.executable, "-c", "import time; time.sleep(600)")


def service(*command: str, name: str = "stand-in", restarts: int = 0) -> Service:
    return Service(Program(name, command), ready=lambda: True, restarts=restarts)


def script(code: str) -> tuple[str, ...]:
    return (sys.executable, "-c", code)


def test_start_returns_when_the_service_is_ready(supervisor: Supervisor, tmp_path: Path) -> None:
    sign = tmp_path / "ready"
    code = f"import pathlib, time; pathlib.Path({str(sign)!r}).touch(); time.sleep(600)"
    supervisor.start(Service(Program("slow", script(code)), ready=sign.exists))
    assert sign.exists()


def test_start_of_a_program_that_ends_shows_what_it_said(supervisor: Supervisor) -> None:
    code = "import sys; sys.exit('no such setting')"
    failing = Service(Program("failing", script(code)), ready=lambda: False)
    with pytest.raises(ChildFailed, match="failing ended with code 1") as caught:
        supervisor.start(failing)
    assert caught.value.log_tail == "no such setting"
    assert supervisor.children == []


def test_start_of_a_program_that_is_never_ready_ends_it(supervisor: Supervisor) -> None:
    never = Service(Program("never", SLEEP), ready=lambda: False, start_seconds=0.2)
    child = supervisor.launch(never)
    with pytest.raises(ChildFailed, match="was not ready"):
        supervisor.wait_ready(child)
    assert child.process.returncode == -signal.SIGTERM


def test_a_port_that_another_has_is_told_apart(supervisor: Supervisor) -> None:
    code = "import sys; sys.exit('bind: Address already in use')"
    with pytest.raises(PortTaken):
        supervisor.start(Service(Program("late", script(code)), ready=lambda: False))


def test_a_lost_child_is_named(supervisor: Supervisor) -> None:
    supervisor.start(service(*SLEEP, name="other"))
    supervisor.start(service(*script("import time; time.sleep(0.3); exit(3)"), name="lost"))
    with pytest.raises(ChildFailed, match="lost ended with code 3"):
        supervisor.watch(on_restart=lambda name: None)
    assert [child.program.name for child in supervisor.children] == ["other"]


def test_a_child_is_started_again_as_often_as_it_may(supervisor: Supervisor) -> None:
    restarted: list[str] = []
    supervisor.start(service(*script("exit(3)"), name="weak", restarts=2))
    with pytest.raises(ChildFailed, match="weak"):
        supervisor.watch(on_restart=restarted.append)
    assert restarted == ["weak", "weak"]


def test_stop_ends_what_a_child_has_started(supervisor: Supervisor, tmp_path: Path) -> None:
    note = tmp_path / "pid"
    code = (
        "import pathlib, subprocess, sys, time\n"
        "below = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        f"pathlib.Path({str(note)!r}).write_text(str(below.pid)); time.sleep(600)"
    )
    supervisor.start(Service(Program("parent", script(code)), ready=lambda: _filled(note)))
    supervisor.stop()
    below = int(note.read_text())
    assert wait_until(lambda: not _runs(below), 10)


def test_stop_goes_from_the_last_to_the_first(supervisor: Supervisor, tmp_path: Path) -> None:
    order = tmp_path / "order"
    for name in ("first", "second"):
        code = (
            "import pathlib, signal, sys, time\n"
            f"place = pathlib.Path({str(order)!r})\n"
            f"def end(*_): place.open('a').write('{name} '); sys.exit()\n"
            f"signal.signal(signal.SIGTERM, end); pathlib.Path('{name}').touch(); time.sleep(600)"
        )
        ready = tmp_path / name
        supervisor.start(Service(Program(name, script(code)), ready=ready.exists))
    supervisor.stop()
    assert order.read_text() == "second first "


def test_run_returns_what_the_program_prints(supervisor: Supervisor) -> None:
    program = Program("shown", script("import json; print(json.dumps({'a': 1}))"))
    assert json.loads(supervisor.run(program)) == {"a": 1}


def test_standard_input_is_handed_over(supervisor: Supervisor) -> None:
    code = "import sys; print(sys.stdin.read()[::-1])"
    assert supervisor.run(Program("mirror", script(code), stdin=b"abc")) == "cba\n"


def _filled(path: Path) -> bool:
    return path.exists() and path.read_text() != ""


def _runs(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def test_the_time_to_stop_is_limited(supervisor: Supervisor, tmp_path: Path) -> None:
    sign = tmp_path / "deaf"
    code = (
        "import pathlib, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        f"pathlib.Path({str(sign)!r}).touch(); time.sleep(600)"
    )
    deaf = Program("deaf", script(code), stop_seconds=0.2)
    child = supervisor.launch(Service(deaf, ready=sign.exists))
    supervisor.wait_ready(child)
    began = time.monotonic()
    supervisor.stop()
    assert child.process.returncode == -signal.SIGKILL
    assert time.monotonic() - began < 300
