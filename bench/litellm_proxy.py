"""Run LiteLLM's proxy from its own virtual environment in `.local/`, which is created once.

Configured as its production guide says: one worker, a master key, no debugging, no database. It
forwards requests and accounts for nothing.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.load import Target
from bench.processes import ROOT, free_port, run_process, wait_until_listening
from bench.servers import MESSAGE, Server
from bench.targets import LITELLM

VERSION = "1.106.2"
VENV = ROOT / ".local" / "bench" / "litellm"
MASTER_KEY = "sk-bench"
SETTINGS = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # nothing is fetched
    "LITELLM_MODE": "PRODUCTION",
    "LITELLM_LOG": "ERROR",
}


@contextmanager
def run_litellm_proxy(api_base: str, directory: Path) -> Iterator[Server]:
    """Run the proxy in front of the fake model server."""
    install()
    port, log, config = free_port(), directory / "litellm.log", directory / "litellm.yaml"
    config.write_text(json.dumps(_proxy_config(api_base)))  # JSON is YAML
    command = [str(VENV / "bin" / "litellm"), "--config", str(config), "--telemetry", "False"]
    command += ["--host", "127.0.0.1", "--port", str(port), "--num_workers", "1"]
    with run_process(command, log, _environment(directory)) as process:
        wait_until_listening(process, port, log)

        def target(model: str, *, stream: bool = True) -> Target:
            messages = [{"role": "user", "content": MESSAGE}]
            return Target(
                f"http://127.0.0.1:{port}/v1/chat/completions",
                {"model": model, "messages": messages, "stream": stream},
                {"Authorization": f"Bearer {MASTER_KEY}"},
            )

        yield Server(
            LITELLM,
            process.pid,
            target("at-once", stream=False),
            target("paced"),
            target("brief"),
        )


def install() -> None:
    """Create the environment unless it has this version. Takes a minute or two."""
    marker = VENV / f"installed-{VERSION}"
    if marker.exists():
        return
    print(f"Installing litellm[proxy] {VERSION} into {VENV.relative_to(ROOT)} …", flush=True)
    subprocess.run([sys.executable, "-m", "venv", "--clear", VENV], check=True)
    pip = [str(VENV / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    subprocess.run([*pip, f"litellm[proxy]=={VERSION}"], check=True)
    marker.touch()


def _environment(directory: Path) -> dict[str, str]:
    """Return a minimal environment, because the proxy reads DATABASE_URL and provider keys."""
    inherited = {name: os.environ[name] for name in ("PATH", "LANG", "TZ") if name in os.environ}
    return {**inherited, **SETTINGS, "HOME": str(directory)}


def _proxy_config(api_base: str) -> dict[str, object]:
    models = [
        {
            "model_name": name,
            "litellm_params": {"model": f"openai/{name}", "api_base": api_base, "api_key": "none"},
        }
        for name in ("at-once", "paced", "brief")
    ]
    return {"model_list": models, "general_settings": {"master_key": MASTER_KEY}}
