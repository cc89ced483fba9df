"""`make demo`: Parley with all its servers on one machine, until Ctrl-C."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local import chat_client, model, ports, postgres, processes, services, state, web
from local.console import Console
from local.errors import AlreadyRunning, LocalError, PortTaken
from local.interrupts import Interrupts, StopRequested
from local.supervisor import Child, Program, Supervisor

SETTINGS = "config.settings.local"
REPLACED_MIGRATIONS = "SELECT 1 FROM django_migrations WHERE name = '0001_first'"
SAMPLE_MESSAGES = ("Hello, how can you help me?", "What can a kind robot do for a child?")


@dataclass(frozen=True)
class Options:
    """`port=None` means the preferred one or the next that is free."""

    port: int | None
    workers: int


def options_from_environment() -> Options:
    """PORT and WORKERS, which make passes on from its command line."""
    port, workers = (os.environ.get(name, "").strip() for name in ("PORT", "WORKERS"))
    options = Options(
        port=_parse_number("PORT", port) if port else None,
        workers=_parse_number("WORKERS", workers) if workers else 1,
    )
    if not 1 <= options.workers <= 64:
        raise LocalError("WORKERS must be from 1 to 64.")
    return options


def _parse_number(name: str, text: str) -> int:
    if not text.isdecimal():
        raise LocalError(f"{name} must be a whole number, not “{text}”.")
    return int(text)


def run(screen: Console, interrupts: Interrupts) -> int:
    """Start the demo and stay until a signal; returns the exit code.

    A signal while it starts is not a success (StopRequested); one while it is up is (0).
    """
    options = options_from_environment()
    folder, lock = _lock_state_directory()
    _stop_orphans(folder, screen)
    supervisor = Supervisor(home=folder, cwd=state.PROJECT_ROOT, interrupts=interrupts)
    state.rotate_logs(folder)
    demo = _Demo(folder, supervisor, screen)
    try:
        url = demo.start(options)
        lock.write_note(url)
        return _watch_until_signal(supervisor, screen)
    finally:
        with screen.step("Stopping", "Ctrl-C again: at once"):
            supervisor.stop()
        state.remove_services_env(folder)
        lock.release()


def _lock_state_directory() -> tuple[Path, state.DirectoryLock]:
    folder = state.prepare_directory()
    lock = state.DirectoryLock(folder)
    try:
        lock.acquire()
    except AlreadyRunning as running:
        raise LocalError(f"The demo of this folder runs already: {running}") from None
    return folder, lock


def _stop_orphans(folder: Path, screen: Console) -> None:
    records = folder / "run"
    if processes.load_records(records):
        with screen.step("Left by a killed run") as step:
            ended = processes.stop_orphans(records, home=state.PROJECT_ROOT)
            step.detail = f"ended {', '.join(ended)}" if ended else "nothing"


def _watch_until_signal(supervisor: Supervisor, screen: Console) -> int:
    try:
        supervisor.watch(
            on_restart=lambda name: screen.print_line(
                f"{name} ended and was started again: {supervisor.log_path(name)}"
            )
        )
    except StopRequested:
        screen.print_line()
    return 0


@dataclass(frozen=True)
class _Demo:
    """The steps of one start."""

    folder: Path
    supervisor: Supervisor
    screen: Console

    def start(self, options: Options) -> str:
        """Start everything, chat twice, say where it is; returns the address.

        Raises LocalError when a part fails.
        """
        port = _choose_web_port(options)
        url = web.base_url(port)
        env = self._start_servers()
        api_base = os.environ.get("PARLEY_MODEL_API_BASE")
        loading = None if api_base else self._launch_model_server()
        refuse_replaced_migrations(env["DATABASE_URL"])
        self._run_manage_command("Database tables", env, "migrate", "--no-input")
        model_base = api_base or self._wait_for_model(loading)
        seeded = self._seed(env, url, model_base)
        self._start_parley(port, options.workers, env)
        endpoint = chat_client.Endpoint(url, seeded["chatbot_id"], seeded["api_key"])
        try:
            self._run_sample_chat(endpoint)
        except LocalError:
            self.supervisor.restart_dead()  # a lost server is the better explanation
            raise
        self._print_addresses(seeded, endpoint)
        return url

    def _start_servers(self) -> dict[str, str]:
        """Start the database and Redis, and tell every `manage.py` of this folder about them."""
        kept = state.load_or_create_secrets(self.folder)
        around = services.ServerConfig(
            directory=self.folder,
            fallback_directory=state.fallback_data_directory(),
            ports=ports.free_ports,
            durable=True,
            postgres_password=kept.postgres_password,
            valkey_password=kept.valkey_password,
        )
        shared = services.start_servers(self.supervisor, self.screen, around)
        shared["SECRET_KEY"] = os.environ.get("SECRET_KEY") or kept.secret_key
        state.write_services_env(self.folder, shared)
        return {**os.environ, **shared, "DJANGO_SETTINGS_MODULE": SETTINGS}

    def _launch_model_server(self) -> tuple[Child, int]:
        """Let the model load while the database is prepared."""
        port = next(ports.free_ports(model.PREFERRED_PORT))
        return self.supervisor.launch(model.service(port)), port

    def _wait_for_model(self, loading: tuple[Child, int] | None) -> str:
        assert loading is not None  # noqa: S101
        child, port = loading
        with self.screen.step("Language model", "loading") as step:
            try:
                self.supervisor.wait_ready(child)
            except PortTaken:
                port = services.start_on_free_port(
                    self.supervisor, ports.free_ports(port + 1), model.service
                )
            step.detail = f"{ports.HOST}:{port}"
        return model.api_base(port)

    def _run_manage_command(self, title: str, env: Mapping[str, str], *arguments: str) -> str:
        with self.screen.step(title):
            return self.supervisor.run(
                Program(arguments[0], command=web.manage_command(*arguments), env=env)
            )

    def _seed(self, env: Mapping[str, str], url: str, model_base: str) -> dict[str, str]:
        """Make or find the demo's workspace; the last run's key and passwords stay valid."""
        path = self.folder / "demo.json"
        previous = ["--previous", str(path)] if path.exists() else []
        arguments = ["--json", "--base-url", url, "--model-api-base", model_base, *previous]
        output = self._run_manage_command("Demo workspace", env, "seed_demo", *arguments)
        seeded: dict[str, Any] = json.loads(output)
        state.write_private(path, json.dumps(seeded, indent=2) + "\n")
        return {name: str(value) for name, value in seeded.items()}

    def _start_parley(self, port: int, workers: int, env: Mapping[str, str]) -> None:
        """Start web and worker together and wait for both."""
        env = {**env, "PUBLIC_URL": web.base_url(port)}
        worker = self.supervisor.launch(
            web.worker_service(
                self.folder / "worker-schedule", lambda: self.supervisor.output("worker"), env
            )
        )
        server = self.supervisor.launch(web.web_service(port, workers, env))
        count = "1 process" if workers == 1 else f"{workers} processes"
        with self.screen.step("Web", f"{ports.HOST}:{port}, {count}"):
            self.supervisor.wait_ready(server)
        with self.screen.step("Worker"):
            self.supervisor.wait_ready(worker)

    def _run_sample_chat(self, endpoint: chat_client.Endpoint) -> None:
        """One JSON exchange and one streamed, as a customer's program would have them."""
        show = self.screen
        asked, streamed = SAMPLE_MESSAGES
        show.print_line()
        show.print_line(f"{show.bold('You ')}    {asked}")
        show.print_line(
            f"{show.bold('Chatbot')} {chat_client.send_message(endpoint, asked).strip()}"
        )
        show.print_line()
        show.print_line(f"{show.bold('You ')}    {streamed} {show.dim('(streamed)')}")
        show.write(f"{show.bold('Chatbot')} ")
        try:
            for piece in chat_client.stream_message(endpoint, streamed):
                show.write(piece)
        finally:
            show.print_line()

    def _print_addresses(self, seeded: Mapping[str, str], endpoint: chat_client.Endpoint) -> None:
        url = endpoint.base_url
        owner = f"{seeded['owner_email']}  {seeded['owner_password']}"
        staff = f"{seeded['staff_email']}  {seeded['staff_password']}"
        rows = [(f"{url}/login", "Dashboard", owner), (f"{url}/admin/", "Staff admin", staff)]
        self.screen.print_line()
        for address, title, login in rows:
            self.screen.print_line(f"{self.screen.bold(title):<12} {address:<30} {login}")
        for curl in chat_client.curl_commands(endpoint):
            self.screen.print_line(f"\n{curl}")
        logs = self.supervisor.logs.relative_to(state.PROJECT_ROOT)
        self.screen.print_line(f"\nLogs are in {logs}/. Ctrl-C stops everything.")


def _choose_web_port(options: Options) -> int:
    if options.port is not None:
        return ports.require_port(options.port)
    return next(ports.free_ports(web.PREFERRED_PORT))


def refuse_replaced_migrations(database_url: str) -> None:
    """Raise LocalError if migrations that no longer exist made the tables of this database."""
    import psycopg

    with psycopg.connect(database_url) as connection:
        (migrated,) = connection.execute("SELECT to_regclass('django_migrations')").fetchone() or ()
        if migrated and connection.execute(REPLACED_MIGRATIONS).fetchone():
            raise LocalError(
                "This database was made by an earlier Parley, whose migrations have been replaced. "
                "Begin anew with: make reset. CHANGELOG.md says how to keep the data."
            )


def reset(screen: Console) -> int:
    """`make reset`: remove the demo's data and secrets. Refuses while the demo runs."""
    if not state.STATE_DIRECTORY.exists():
        screen.print_line("There is nothing to remove.")
        return 0
    folder, lock = _lock_state_directory()
    _stop_orphans(folder, screen)
    home = folder / "postgres"
    postgres.stop_leftover(home / "data")
    if home.is_symlink():
        shutil.rmtree(home.readlink(), ignore_errors=True)
    shutil.rmtree(folder)
    lock.release()
    screen.print_line(f"Removed {folder}.")
    return 0
