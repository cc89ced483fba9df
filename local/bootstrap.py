"""Create the virtual environment, then execute `.venv/bin/python -m local COMMAND`.

Run it with the system's Python, from any directory: `python3 local/bootstrap.py demo`. Any Python 3
can parse this file; a version that is too old executes a newer one or says what to install.
"""

import os
import shutil
import sys

MIN_VERSION = (3, 11)
CANDIDATES = ("python3.11", "python3.12", "python3.13", "python3.14")
PROJECT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120


def main():  # type: () -> None
    """Replace this process by the command, or exit."""
    if sys.version_info < MIN_VERSION:
        exec_newer_python()
    sys.path[0] = PROJECT
    from local import install

    install.exec_in_venv(sys.argv[1:])


def exec_newer_python():  # type: () -> None
    """Start again with a newer Python of this machine, or exit if there is none."""
    for name in CANDIDATES:
        path = shutil.which(name)
        if path:
            os.execv(path, [path, os.path.abspath(__file__), *sys.argv[1:]])  # noqa: PTH100, S606
    sys.exit(
        "Parley needs Python 3.11 or newer; {} is {}.{}. Install a newer one (Debian, Ubuntu: "
        "apt install python3.11 python3.11-venv), or name one: make demo PYTHON=/path/to/python3"
        "".format(sys.executable, *sys.version_info[:2])
    )


if __name__ == "__main__":
    main()
