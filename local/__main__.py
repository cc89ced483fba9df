"""`python -m local COMMAND`, inside the virtual environment.

demo             everything on this machine, until Ctrl-C (PORT=, WORKERS=)
test [ARGS]      pytest on throwaway servers
run -- CMD …     any command on throwaway servers
run --durable -- CMD …   the same, with a PostgreSQL that syncs commits to disk
check            lint, types, import contracts, migrations, deployment settings
reset            remove the demo's data
"""

import sys
from collections.abc import Sequence

from local.children import subreaper
from local.children.interrupts import Interrupts, StopRequested
from local.commands import checks, demo, throwaway
from local.console import Console, console_for
from local.errors import ChildFailed, LocalError


def main(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code."""
    command, *rest = arguments or [""]
    console = console_for(command)
    interrupts = Interrupts()
    interrupts.install()
    subreaper.become_subreaper()
    try:
        return _run(command, rest, console, interrupts)
    except StopRequested as stop:
        console.print_line(f"Stopped by {stop}.")
        return stop.exit_code
    except LocalError as error:
        if isinstance(error, ChildFailed) and error.log_tail:
            console.print_line(console.dim(error.log_tail))
        console.print_line(f"{console.colorize('Failed:', '31')} {error}")
        return 1
    finally:
        subreaper.kill_adopted()


def _run(command: str, rest: list[str], console: Console, interrupts: Interrupts) -> int:
    match command, rest:
        case "demo", []:
            return demo.run(console, interrupts)
        case "test", _:
            return throwaway.run(throwaway.pytest_command(rest), console, interrupts)
        case "run", ["--", _, *_]:
            return throwaway.run(rest[1:], console, interrupts)
        case "run", ["--durable", "--", _, *_]:
            return throwaway.run(rest[2:], console, interrupts, durable=True)
        case "check", []:
            return checks.run(console, interrupts)
        case "reset", []:
            return demo.reset(console)
        case _:
            console.print_line((__doc__ or "").strip())
            return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
