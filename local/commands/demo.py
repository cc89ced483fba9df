"""`make demo`: run Parley and all its servers on this machine until Ctrl-C."""

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local import state
from local.children import processes
from local.children.interrupts import Interrupts, StopRequested
from local.children.supervisor import Child, Program, Supervisor
from local.commands import chat_client
from local.console import Console
from local.errors import AlreadyRunning, LocalError
from local.servers import ports, postgres, services, web
from local.servers.model_servers import ModelAddresses, ModelServers

SETTINGS = "config.settings.local"
REPLACED_MIGRATIONS = "SELECT 1 FROM django_migrations WHERE name = '0001_first'"
SAMPLE_MESSAGES = ("Hello, how can you help me?", "What can a kind robot do for a child?")


@dataclass(frozen=True)
class Options:
    """`port=None`: the preferred port, or the next free one."""

    port: int | None
    workers: int


def options_from_environment() -> Options:
    """Read PORT and WORKERS. Raises LocalError for values that are not possible."""
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


def run(console: Console, interrupts: Interrupts) -> int:
    """Start the demo, run it until a signal and return the exit code.

    A signal raises StopRequested during the start; afterwards the exit code is 0.
    """
    options = options_from_environment()
    directory, lock = _lock_state_directory()
    _stop_orphans(directory, console)
    supervisor = Supervisor(home=directory, cwd=state.PROJECT_ROOT, interrupts=interrupts)
    state.rotate_logs(directory)
    demo = _Demo(directory, supervisor, console)
    try:
        url = demo.start(options)
        lock.write_note(url)
        return _watch_until_signal(supervisor, console)
    finally:
        with console.step("Stopping", "Ctrl-C again: at once"):
            supervisor.stop()
        state.remove_services_env(directory)
        lock.release()


def _lock_state_directory() -> tuple[Path, state.DirectoryLock]:
    directory = state.prepare_directory()
    lock = state.DirectoryLock(directory)
    try:
        lock.acquire()
    except AlreadyRunning as running:
        raise LocalError(f"The demo of this directory runs already: {running}") from None
    return directory, lock


def _stop_orphans(directory: Path, console: Console) -> None:
    records = directory / "run"
    if processes.load_records(records):
        with console.step("Left by a killed run") as step:
            stopped = processes.stop_orphans(records, home=state.PROJECT_ROOT)
            step.detail = f"ended {', '.join(stopped)}" if stopped else "nothing"


def _watch_until_signal(supervisor: Supervisor, console: Console) -> int:
    try:
        supervisor.watch(
            on_restart=lambda name: console.print_line(
                f"{name} ended and was started again: {supervisor.log_path(name)}"
            )
        )
    except StopRequested:
        console.print_line()
    return 0


@dataclass(frozen=True)
class _Demo:
    """The steps of starting the demo."""

    directory: Path
    supervisor: Supervisor
    console: Console

    def start(self, options: Options) -> str:
        """Start everything, run the sample chat, print the addresses and return the URL.

        Raises LocalError if a step fails.
        """
        port = _choose_web_port(options)
        url = web.base_url(port)
        env = self._start_servers()
        models = ModelServers(self.supervisor, self.console)
        models.launch()
        refuse_replaced_migrations(env["DATABASE_URL"])
        self._run_manage_command("Database tables", env, "migrate", "--no-input")
        seeded = self._seed(env, url, models.wait())
        self._start_parley(port, options.workers, env)
        endpoint = chat_client.Endpoint(url, seeded["chatbot_id"], seeded["api_key"])
        try:
            self._run_sample_chat(endpoint)
        except LocalError:
            self.supervisor.restart_dead()  # raises if a server was lost, which explains more
            raise
        self._print_addresses(seeded, endpoint)
        return url

    def _start_servers(self) -> dict[str, str]:
        """Start PostgreSQL and Valkey and return the environment for all commands."""
        secrets = state.load_or_create_secrets(self.directory)
        config = services.ServerConfig(
            directory=self.directory,
            fallback_directory=state.fallback_data_directory(),
            ports=ports.free_ports,
            durable=True,
            postgres_password=secrets.postgres_password,
            valkey_password=secrets.valkey_password,
        )
        addresses = services.start_servers(self.supervisor, self.console, config)
        addresses["SECRET_KEY"] = os.environ.get("SECRET_KEY") or secrets.secret_key
        state.write_services_env(self.directory, addresses)
        return {**os.environ, **addresses, "DJANGO_SETTINGS_MODULE": SETTINGS}

    def _run_manage_command(self, title: str, env: Mapping[str, str], *arguments: str) -> str:
        with self.console.step(title):
            return self.supervisor.run(
                Program(arguments[0], command=web.manage_command(*arguments), env=env)
            )

    def _seed(self, env: Mapping[str, str], url: str, models: ModelAddresses) -> dict[str, str]:
        """Create or update the demo's workspace. Key and passwords of the last run stay valid."""
        path = self.directory / "demo.json"
        previous = ["--previous", str(path)] if path.exists() else []
        arguments = ["--json", "--base-url", url, "--model-api-base", models.language]
        arguments += ["--embedding-api-base", models.embedding, *previous]
        output = self._run_manage_command("Demo workspace", env, "seed_demo", *arguments)
        seeded: dict[str, Any] = json.loads(output)
        state.write_private(path, json.dumps(seeded, indent=2) + "\n")
        return {name: str(value) for name, value in seeded.items()}

    def _start_parley(self, port: int, workers: int, env: Mapping[str, str]) -> None:
        """Start web server, worker and scheduler in parallel and wait until they are ready."""
        env = {**env, "PUBLIC_URL": web.base_url(port)}
        # What every workspace depends on has a process that no receiver of webhooks keeps busy.
        celery_workers = [
            self._launch_worker("worker", web.OTHER_QUEUES, env),
            self._launch_worker("critical", web.CRITICAL_QUEUE, env),
        ]
        self.supervisor.launch(web.beat_service(self.directory / "beat-schedule", env))
        server = self.supervisor.launch(web.web_service(port, workers, env))
        count = "1 process" if workers == 1 else f"{workers} processes"
        with self.console.step("Web", f"{ports.HOST}:{port}, {count}"):
            self.supervisor.wait_ready(server)
        with self.console.step("Worker"):
            for worker in celery_workers:
                self.supervisor.wait_ready(worker)

    def _launch_worker(self, name: str, queues: str, env: Mapping[str, str]) -> Child:
        service = web.worker_service(
            lambda: self.supervisor.output(name), env, name=name, queues=queues
        )
        return self.supervisor.launch(service)

    def _run_sample_chat(self, endpoint: chat_client.Endpoint) -> None:
        console = self.console
        first, second = SAMPLE_MESSAGES
        console.print_line()
        console.print_line(f"{console.bold('You ')}    {first}")
        console.print_line(
            f"{console.bold('Chatbot')} {chat_client.send_message(endpoint, first).strip()}"
        )
        console.print_line()
        console.print_line(f"{console.bold('You ')}    {second} {console.dim('(streamed)')}")
        console.write(f"{console.bold('Chatbot')} ")
        try:
            for delta in chat_client.stream_message(endpoint, second):
                console.write(delta)
        finally:
            console.print_line()

    def _print_addresses(self, seeded: Mapping[str, str], endpoint: chat_client.Endpoint) -> None:
        url = endpoint.base_url
        owner = f"{seeded['owner_email']}  {seeded['owner_password']}"
        staff = f"{seeded['staff_email']}  {seeded['staff_password']}"
        rows = [(f"{url}/login", "Dashboard", owner), (f"{url}/admin/", "Staff admin", staff)]
        self.console.print_line()
        for address, title, login in rows:
            self.console.print_line(f"{self.console.bold(title):<12} {address:<30} {login}")
        for curl in chat_client.curl_commands(endpoint):
            self.console.print_line(f"\n{curl}")
        logs = self.supervisor.logs.relative_to(state.PROJECT_ROOT)
        self.console.print_line(f"\nLogs are in {logs}/. Ctrl-C stops everything.")


def _choose_web_port(options: Options) -> int:
    if options.port is not None:
        return ports.require_port(options.port)
    return next(ports.free_ports(web.PREFERRED_PORT))


def refuse_replaced_migrations(database_url: str) -> None:
    """Raise LocalError if migrations that no longer exist created the tables of this database."""
    import psycopg

    with psycopg.connect(database_url) as connection:
        (migrated,) = connection.execute("SELECT to_regclass('django_migrations')").fetchone() or ()
        if migrated and connection.execute(REPLACED_MIGRATIONS).fetchone():
            raise LocalError(
                "This database was created by migrations that have been replaced since. "
                "Start over with: make reset. CHANGELOG.md says how to keep the data."
            )


def reset(console: Console) -> int:
    """`make reset`: delete the demo's data and secrets. Raises LocalError while the demo runs."""
    if not state.STATE_DIRECTORY.exists():
        console.print_line("There is nothing to remove.")
        return 0
    directory, lock = _lock_state_directory()
    _stop_orphans(directory, console)
    cluster = directory / "postgres"
    postgres.stop_leftover(cluster / "data")
    if cluster.is_symlink():
        shutil.rmtree(cluster.readlink(), ignore_errors=True)
    shutil.rmtree(directory)
    lock.release()
    console.print_line(f"Removed {directory}.")
    return 0
