"""Find files and versions of the servers' wheels without importing them."""

import importlib.metadata
import importlib.util
from pathlib import Path

from local.errors import LocalError


def version(distribution: str) -> str:
    """Return a wheel's version, which is the version of the server in it."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        raise _not_installed(distribution) from None


def major_version(distribution: str) -> str:
    return version(distribution).partition(".")[0]


def package_directory(distribution: str) -> Path:
    """Return the directory of the wheel's package."""
    spec = importlib.util.find_spec(distribution.replace("-", "_"))
    if spec is None or spec.origin is None:
        raise _not_installed(distribution)
    return Path(spec.origin).parent


def _not_installed(distribution: str) -> LocalError:
    return LocalError(
        f"The package {distribution} is not installed here. `make` installs it: use make demo or "
        "make test. To use servers of your own, set DATABASE_URL and REDIS_URL."
    )
