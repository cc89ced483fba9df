"""LiteLLM's proxy, in a virtual environment of its own under `.local/`, made once and kept.

As its guide for production says: one worker, a master key, no debugging, no database. It answers,
and accounts for nothing.
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
from bench.processes import ROOT, run_process, wait_until_listening
from bench.servers import MESSAGE, Server
from bench.targets import LITELLM
from tests.web_processes import free_port

VERSION = "1.106.2"
VENV = ROOT / ".local" / "bench" / "litellm"
MASTER_KEY = "sk-bench"
SETTINGS = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # nothing is fetched
    "LITELLM_MODE": "PRODUCTION",
    "LITELLM_LOG": "ERROR",
}


@contextmanager
def run_litellm_proxy(api_base: str, folder: Path) -> Iterator[Server]:
    """The proxy, ready, in front of the fake model server."""
    install()
    port, log, config = free_port(), folder / "litellm.log", folder / "litellm.yaml"
    config.write_text(json.dumps(_proxy_config(api_base)))  # JSON is YAML
    command = [str(VENV / "bin" / "litellm"), "--config", str(config), "--telemetry", "False"]
    command += ["--host", "127.0.0.1", "--port", str(port), "--num_workers", "1"]
    with run_process(command, log, _environment(folder)) as started:
        wait_until_listening(started, port, log)

        def target(model: str, *, stream: bool = True) -> Target:
            messages = [{"role": "user", "content": MESSAGE}]
            return Target(
                f"http://127.0.0.1:{port}/v1/chat/completions",
                {"model": model, "messages": messages, "stream": stream},
                {"Authorization": f"Bearer {MASTER_KEY}"},
            )

        yield Server(
            LITELLM,
            started.pid,
            target("at-once", stream=False),
            target("paced"),
            target("brief"),
        )


def install() -> None:
    """Make the environment, where this version is not there already. Takes a minute or two."""
    done = VENV / f"installed-{VERSION}"
    if done.exists():
        return
    print(f"Installing litellm[proxy] {VERSION} into {VENV.relative_to(ROOT)} …", flush=True)
    subprocess.run([sys.executable, "-m", "venv", "--clear", VENV], check=True)
    pip = [str(VENV / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    subprocess.run([*pip, f"litellm[proxy]=={VERSION}"], check=True)
    done.touch()


def _environment(folder: Path) -> dict[str, str]:
    """Of ours, what any program needs: the proxy reads DATABASE_URL and providers' keys."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TZ") if name in os.environ}
    return {**kept, **SETTINGS, "HOME": str(folder)}


def _proxy_config(api_base: str) -> dict[str, object]:
    models = [
        {
            "model_name": name,
            "litellm_params": {"model": f"openai/{name}", "api_base": api_base, "api_key": "none"},
        }
        for name in ("at-once", "paced", "brief")
    ]
    return {"model_list": models, "general_settings": {"master_key": MASTER_KEY}}
