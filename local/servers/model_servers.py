"""Start the language model and the embedding model of the demo, beside everything else."""

import os
from collections.abc import Callable
from dataclasses import dataclass

from local.children.supervisor import Child, Service, Supervisor
from local.console import Console, Step
from local.errors import ChildFailed, PortTaken
from local.servers import embedding_model, model, ports, services


@dataclass(frozen=True)
class ModelAddresses:
    """The api bases of the models. `embedding`: "" without one."""

    language: str
    embedding: str


@dataclass(frozen=True)
class _Loading:
    """A model server that has been launched."""

    child: Child
    port: int
    service: Callable[[int], Service]


class ModelServers:
    """The model servers, which load while the database is migrated.

    PARLEY_MODEL_API_BASE and PARLEY_EMBEDDING_API_BASE name servers to use instead.
    """

    def __init__(self, supervisor: Supervisor, console: Console) -> None:
        self._supervisor = supervisor
        self._console = console
        self._given = ModelAddresses(
            os.environ.get("PARLEY_MODEL_API_BASE", ""),
            os.environ.get("PARLEY_EMBEDDING_API_BASE", ""),
        )
        self._language: _Loading | None = None
        self._embedding: _Loading | None = None

    def launch(self) -> None:
        """Start loading the models that the environment does not name."""
        if not self._given.language:
            self._language = self._launch(model.PREFERRED_PORT, model.service)
        if not self._given.embedding and embedding_model.is_installed():
            port = embedding_model.PREFERRED_PORT
            self._embedding = self._launch(port, embedding_model.service)

    def wait(self) -> ModelAddresses:
        """Wait until both are ready. Raises LocalError; the demo does without embeddings."""
        language, embedding = self._given.language, self._given.embedding
        if self._language is not None:
            with self._console.step("Language model", "loading") as step:
                language = model.api_base(self._wait_for(self._language, step))
        if not embedding:
            with self._console.step("Embedding model", "loading") as step:
                embedding = self._wait_for_embedding(step)
        return ModelAddresses(language, embedding)

    def _launch(self, first_port: int, service: Callable[[int], Service]) -> _Loading:
        port = next(ports.free_ports(first_port))
        return _Loading(self._supervisor.launch(service(port)), port, service)

    def _wait_for_embedding(self, step: Step) -> str:
        if self._embedding is None:
            step.detail = "not made for this machine: knowledge uses the sandbox's model"
            return ""
        try:
            return embedding_model.api_base(self._wait_for(self._embedding, step))
        except ChildFailed as failure:
            step.detail = f"knowledge uses the sandbox's model, because it failed: {failure}"
            return ""

    def _wait_for(self, loading: _Loading, step: Step) -> int:
        """Return the port of the ready server."""
        port = loading.port
        try:
            self._supervisor.wait_ready(loading.child)
        except PortTaken:
            free_ports = ports.free_ports(port + 1)
            port = services.start_on_free_port(self._supervisor, free_ports, loading.service)
        step.detail = f"{ports.HOST}:{port}"
        return port
