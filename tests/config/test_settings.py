"""Production settings with valid and invalid environments, each in a process of its own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SECRET = "Zq8-" + "h3Xv_7Kd2mWp9Rt5Yb1Nc6Lg4Js0Fa" * 2
GOOD = {
    "SECRET_KEY": SECRET,
    "ALLOWED_HOSTS": "parley.example, www.parley.example",
    "DATABASE_URL": "postgres://parley:pw@db.example:5432/parley",
    "REDIS_URL": "rediss://cache.example:6379/0",
}
BAD = {
    "no secret": {**GOOD, "SECRET_KEY": ""},
    "short secret": {**GOOD, "SECRET_KEY": SECRET[:49]},
    "repetitive secret": {**GOOD, "SECRET_KEY": "ab" * 40},
    "Django's secret": {**GOOD, "SECRET_KEY": "django-insecure-" + SECRET},
    "local secret": {**GOOD, "SECRET_KEY": "local-only-" + SECRET},
    "no hosts": {**GOOD, "ALLOWED_HOSTS": ""},
    "any host": {**GOOD, "ALLOWED_HOSTS": "parley.example, *"},
    "no database": {**GOOD, "DATABASE_URL": ""},
    "no redis": {**GOOD, "REDIS_URL": ""},
}
UNSET = {name: {k: v for k, v in GOOD.items() if k != name} for name in GOOD}

# Imports the settings in each environment and prints the errors.
TRY = """
import importlib, json, os, sys
from django.core.exceptions import ImproperlyConfigured
found = {}
for case, environment in json.loads(sys.stdin.read()).items():
    for name in ("SECRET_KEY", "ALLOWED_HOSTS", "DATABASE_URL", "REDIS_URL"):
        os.environ.pop(name, None)
    os.environ.update(environment)
    for name in [n for n in sys.modules if n.startswith("config.settings")]:
        del sys.modules[name]
    try:
        settings = importlib.import_module("config.settings.production")
    except ImproperlyConfigured as error:
        found[case] = str(error)
    else:
        found[case] = [settings.DEBUG, settings.ALLOWED_HOSTS, settings.CELERY_BROKER_URL]
print(json.dumps(found))
"""


def run(*arguments: str, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Python without the settings of this process in its environment."""
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**inherited, **environment},
        input=stdin,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


@pytest.fixture(scope="module")
def found() -> dict[str, object]:
    """The result of production settings for each environment."""
    cases = {"good": GOOD, **BAD, **{f"unset {name}": env for name, env in UNSET.items()}}
    process = run("-c", TRY, stdin=json.dumps(cases))
    assert process.returncode == 0, process.stderr
    results: dict[str, object] = json.loads(process.stdout)
    return results


def test_production_starts_with_valid_environment(found: dict[str, object]) -> None:
    hosts = ["parley.example", "www.parley.example"]
    assert found["good"] == [False, hosts, GOOD["REDIS_URL"]]


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ("no secret", "SECRET_KEY is missing or weak"),
        ("any host", "ALLOWED_HOSTS must name this server's hosts"),
        ("short secret", "SECRET_KEY is missing or weak"),
        ("repetitive secret", "SECRET_KEY is missing or weak"),
        ("Django's secret", "SECRET_KEY is missing or weak"),
        ("local secret", "SECRET_KEY is missing or weak"),
        ("no hosts", "ALLOWED_HOSTS is missing"),
        ("no database", "DATABASE_URL is missing"),
        ("no redis", "REDIS_URL is missing"),
        ("unset SECRET_KEY", "SECRET_KEY is missing or weak"),
        ("unset ALLOWED_HOSTS", "ALLOWED_HOSTS is missing"),
        ("unset DATABASE_URL", "DATABASE_URL is missing"),
        ("unset REDIS_URL", "REDIS_URL is missing"),
    ],
)
def test_production_refuses_to_start(found: dict[str, object], case: str, message: str) -> None:
    assert str(found[case]).startswith(message)


def test_error_does_not_contain_the_secret(found: dict[str, object]) -> None:
    assert SECRET[:20] not in json.dumps(found)


def test_deployment_check_passes() -> None:
    process = run(
        *("manage.py", "check", "--deploy", "--fail-level", "INFO"),
        DJANGO_SETTINGS_MODULE="config.settings.production",
        **GOOD,
    )
    assert (process.returncode, process.stderr) == (0, "")
    assert process.stdout.strip() == "System check identified no issues (0 silenced)."


def test_check_imports_no_vendor_sdk() -> None:
    process = run(
        *("-X", "importtime", "manage.py", "check"),
        DJANGO_SETTINGS_MODULE="config.settings.production",
        **GOOD,
    )
    imported = set(re.findall(r"\|\s+([\w.]+)$", process.stderr, re.MULTILINE))
    assert (process.returncode, "apps.llm.catalogue" in imported) == (0, True)
    assert [name for name in imported if name.split(".")[0] in {"litellm", "openai"}] == []
