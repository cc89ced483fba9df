"""`python -m bench.followers`: measure what followers of a turn cost.

A turn runs on the first of two web processes, at 50 words a second. 0, 50 or 500 clients follow it
as server-sent events, half of them on each process, in alternating rounds. The measurement starts
when all have connected. Afterwards the memory of 500 idle WebSockets is measured, and of 500 that
follow a turn and read nothing. Model and readers run in separate processes.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

import django
import httpx
import psutil

ROUNDS = 3
WORDS = 900
SECONDS_PER_WORD = 0.02
MEASURED_WORDS = 200
"""Words of each turn that are measured after all followers have connected."""
SOCKETS = 500
FOLLOWER_COUNTS = (0, 50, 500)
RESULTS = Path(__file__).parent / "results.json"
MIB = 1024 * 1024


@dataclass(frozen=True)
class TurnFigures:
    """Figures of one turn. `here` is the turn's own web process, `there` the other one.

    `complete`: followers that received every frame. `p50`, `p99`: gaps between words in ms, for the
    client that started the turn. `cpu_*`: ms per second of the turn. `memory_*`: growth in MiB.
    """

    followers: int
    complete: int
    p50: float
    p99: float
    cpu_here: float
    cpu_there: float
    memory_here: float
    memory_there: float
    redis_a_word: float


class FollowerBenchmark:
    """A tenant, two web processes, and the measurements."""

    def __init__(self, stack: ExitStack) -> None:
        import redis
        from django.conf import settings

        from bench.processes import run_web_server
        from bench.tenants import create_tenant

        api_base = stack.enter_context(run_paced_model())
        tenant = create_tenant()
        chatbot = tenant.create_chatbot("openai/paced", api_base=api_base, max_reply_tokens=4096)
        self.chatbot_id = chatbot.id
        self.api_key = tenant.api_key
        self.headers = tenant.headers
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        settings_module = "config.settings.test"
        self.webs = [
            stack.enter_context(run_web_server(directory, settings_module=settings_module))
            for _ in range(2)
        ]
        self.redis = redis.Redis.from_url(settings.REDIS_URL)

    def servers(self) -> list[psutil.Process]:
        """Return the worker process of each web server."""
        return [psutil.Process(web.pid).children()[0] for web in self.webs]

    def chatbot_url(self, at: int) -> str:
        return f"http://127.0.0.1:{self.webs[at].port}/api/v1/chatbots/{self.chatbot_id}"

    def websocket_url(self, at: int) -> str:
        return f"ws://127.0.0.1:{self.webs[at].port}/ws/v1/chatbots/{self.chatbot_id}/chat"

    def redis_calls(self) -> int:
        stats = self.redis.info("commandstats")
        return sum(one["calls"] for name, one in stats.items() if name != "cmdstat_info")

    @contextmanager
    def run_readers(
        self, kind: str, count: int, urls: list[str], turn_id: str = ""
    ) -> Iterator[subprocess.Popen[str]]:
        """Run connected readers in a separate process."""
        command = [sys.executable, "-m", "bench.followers.readers", kind, str(count)]
        with subprocess.Popen(
            [*command, ",".join(urls), self.api_key, turn_id],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout
            assert process.stdout.readline() == "ready\n"
            yield process
            assert process.stdin
            process.stdin.close()

    def memory_bytes(self) -> list[int]:
        return [server.memory_info().rss for server in self.servers()]

    def measure_turn(self, followers: int) -> TurnFigures:
        """Run one turn with this number of followers."""
        memory = self.memory_bytes()
        with ExitStack() as stack:
            reader = stack.enter_context(self.open_turn())
            if followers:
                streams = [
                    f"{self.chatbot_url(at)}/turns/{reader.turn_id}/stream" for at in range(2)
                ]
                readers = stack.enter_context(self.run_readers("sse", followers, streams))
            first = reader.word_count()
            calls, cpu = self.redis_calls(), [cpu_seconds(server) for server in self.servers()]
            times = reader.wait_for_times(first, MEASURED_WORDS)
            seconds = times[-1] - times[0]
            used = [cpu_seconds(s) - before for s, before in zip(self.servers(), cpu, strict=True)]
            growth = [
                after - before for after, before in zip(self.memory_bytes(), memory, strict=True)
            ]
            calls = self.redis_calls() - calls
            reader.join()
            complete = int(readers.stdout.readline()) if followers and readers.stdout else 0
        gaps = sorted((after - before) * 1000 for before, after in pairwise(times))
        return TurnFigures(
            followers,
            complete,
            statistics.median(gaps),
            gaps[int(len(gaps) * 0.99)],
            1000 * used[0] / seconds,
            1000 * used[1] / seconds,
            growth[0] / MIB,
            growth[1] / MIB,
            calls / MEASURED_WORDS,
        )

    @contextmanager
    def open_turn(self) -> Iterator[TurnReader]:
        """Start a turn on the first web process and read it in a thread."""
        body = {"message": "count", "stream": True}
        with httpx.stream(
            "POST", f"{self.chatbot_url(0)}/chat", json=body, headers=self.headers, timeout=60
        ) as response:
            reader = TurnReader(response)
            yield reader
            reader.join()

    def measure_sockets(self) -> dict[str, list[float]]:
        """Return KiB per open WebSocket in each web process, by kind.

        First for SOCKETS idle ones, then for as many that follow a turn and read nothing.
        """
        urls = [self.websocket_url(at) for at in range(2)]
        before = self.memory_bytes()
        with self.run_readers("idle", SOCKETS, urls):
            idle = self.memory_bytes()
            with (
                self.open_turn() as reader,
                self.run_readers("socket", SOCKETS, urls, reader.turn_id),
            ):
                reader.join()
                slow = self.memory_bytes()
        each = 1024 * SOCKETS / 2
        return {
            "idle": [(after - start) / each for after, start in zip(idle, before, strict=True)],
            "slow": [(after - start) / each for after, start in zip(slow, idle, strict=True)],
        }


class TurnReader(threading.Thread):
    """Reads a turn to its end and records the time of each word."""

    def __init__(self, response: httpx.Response) -> None:
        super().__init__(daemon=True)
        self._lines = response.iter_lines()
        self._times: list[float] = []
        start = next(line for line in self._lines if "turnId" in line)
        self.turn_id = start.split('"turnId":"')[1][:25]
        self.start()

    def run(self) -> None:
        for line in self._lines:
            if '"delta"' in line:
                self._times.append(time.perf_counter())

    def word_count(self) -> int:
        """Return the number of received words."""
        return len(self._times)

    def wait_for_times(self, first: int, count: int) -> list[float]:
        """Wait for `count` words from number `first` on and return their times."""
        while self.word_count() < first + count:
            assert self.is_alive(), "the turn was too short: raise WORDS"
            time.sleep(0.05)
        return self._times[first : first + count]


def cpu_seconds(server: psutil.Process) -> float:
    times = server.cpu_times()
    return float(times.user + times.system)


@contextmanager
def run_paced_model() -> Iterator[str]:
    """Run a model that sends WORDS words, one every SECONDS_PER_WORD seconds; yields its URL."""
    options = ["--tokens", str(WORDS), "--pace", str(1 / SECONDS_PER_WORD)]
    command = [sys.executable, "-m", "bench.fake_model", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as model:
        assert model.stdout
        yield model.stdout.readline().strip()
        model.terminate()


def main() -> None:
    """Run the rounds, print the medians and write results.json."""
    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    with ExitStack() as stack:
        bench = FollowerBenchmark(stack)
        bench.measure_turn(500)
        turns = [bench.measure_turn(count) for _ in range(ROUNDS) for count in FOLLOWER_COUNTS]
        print_medians(turns)
        for kind, sizes in bench.measure_sockets().items():
            print(kind, [round(kib) for kib in sizes], "KiB a socket")


def print_medians(turns: list[TurnFigures]) -> None:
    """Print the medians of the rounds and write all turns to results.json."""
    names = [name for name in TurnFigures.__dataclass_fields__ if name != "followers"]
    print("".join(f"{name:>14}" for name in ["followers", *names]))
    for count in FOLLOWER_COUNTS:
        rounds = [asdict(one) for one in turns if one.followers == count]
        medians = [statistics.median(one[name] for one in rounds) for name in names]
        print(f"{count:>14}" + "".join(f"{median:>14.1f}" for median in medians))
    RESULTS.write_text(json.dumps([asdict(one) for one in turns], indent=2) + "\n")


if __name__ == "__main__":
    main()
