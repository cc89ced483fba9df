"""`python -m bench.followers`: what followers cost a turn, as ratios in one run.

Two web processes. A turn runs on the first, at 50 words a second; nobody, 50 or 500 follow it as
server-sent events, half of them on each process, in turns, so that a noisy machine is fair to all.
What is measured begins when all of them have connected. Then 500 WebSockets that are idle, and
500 that follow a turn and read nothing. Model and readers live in processes of their own.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
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
"""Words of each turn that are measured, once all have connected."""
SOCKETS = 500
FOLLOWER_COUNTS = (0, 50, 500)
RESULTS = Path(__file__).parent / "results.json"
MIB = 1024 * 1024


@dataclass(frozen=True)
class TurnFigures:
    """One turn with its followers: how many of them got every frame, the gaps between the opener's
    words in ms, CPU in ms a second of the turn, memory in MiB above what it was before, and calls
    of Redis a word; here is the turn's own process."""

    followers: int
    whole: int
    p50: float
    p99: float
    cpu_here: float
    cpu_there: float
    memory_here: float
    memory_there: float
    redis_a_word: float


class FollowerBenchmark:
    """The tenant, the two web processes, and what can be asked of them."""

    def __init__(self, stack: ExitStack) -> None:
        import redis
        from django.conf import settings

        from bench.tenants import new_tenant
        from tests.web_processes import start_web

        api_base = stack.enter_context(run_paced_model())
        self.chatbot_id, self.key, folder = new_tenant(stack, "openai/paced", api_base=api_base)
        self.webs = [stack.enter_context(start_web(folder)) for _ in range(2)]
        self.redis = redis.Redis.from_url(settings.REDIS_URL)
        self.headers = {"Authorization": f"Bearer {self.key}"}

    def servers(self) -> list[psutil.Process]:
        """The workers, which do the work of each web process."""
        return [psutil.Process(web.process.pid).children()[0] for web in self.webs]

    def chatbot_url(self, at: int) -> str:
        return f"http://127.0.0.1:{self.webs[at].port}/api/v1/chatbots/{self.chatbot_id}"

    def websocket_url(self, at: int) -> str:
        return f"ws://127.0.0.1:{self.webs[at].port}/ws/v1/chatbots/{self.chatbot_id}/chat"

    def redis_calls(self) -> int:
        stats = self.redis.info("commandstats")
        return sum(one["calls"] for name, one in stats.items() if name != "cmdstat_info")

    @contextmanager
    def run_readers(
        self, kind: str, count: int, addresses: list[str], turn_id: str = ""
    ) -> Iterator[subprocess.Popen[str]]:
        """Readers in a process of their own, connected."""
        command = [sys.executable, "-m", "bench.followers.readers", kind, str(count)]
        with subprocess.Popen(
            [*command, ",".join(addresses), self.key, turn_id],
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
        """Run one turn with so many followers."""
        memory = self.memory_bytes()
        with ExitStack() as stack:
            opener = stack.enter_context(self.open_turn())
            if followers:
                streams = [
                    f"{self.chatbot_url(at)}/turns/{opener.turn_id}/stream" for at in range(2)
                ]
                readers = stack.enter_context(self.run_readers("sse", followers, streams))
            first = opener.word_count()
            calls, cpu = self.redis_calls(), [cpu_seconds(server) for server in self.servers()]
            moments = opener.wait_for_times(first, MEASURED_WORDS)
            seconds = moments[-1] - moments[0]
            used = [cpu_seconds(s) - was for s, was in zip(self.servers(), cpu, strict=True)]
            grown = [now - was for now, was in zip(self.memory_bytes(), memory, strict=True)]
            calls = self.redis_calls() - calls
            opener.join()
            whole = int(readers.stdout.readline()) if followers and readers.stdout else 0
        gaps = sorted((after - before) * 1000 for before, after in pairwise(moments))
        return TurnFigures(
            followers,
            whole,
            statistics.median(gaps),
            gaps[int(len(gaps) * 0.99)],
            1000 * used[0] / seconds,
            1000 * used[1] / seconds,
            grown[0] / MIB,
            grown[1] / MIB,
            calls / MEASURED_WORDS,
        )

    @contextmanager
    def open_turn(self) -> Iterator[TurnReader]:
        """The caller who opens a turn on the first process, reading."""
        body = {"message": "count", "stream": True}
        with httpx.stream(
            "POST", f"{self.chatbot_url(0)}/chat", json=body, headers=self.headers, timeout=60
        ) as response:
            opener = TurnReader(response)
            yield opener
            opener.join()

    def measure_sockets(self) -> dict[str, list[float]]:
        """KiB that each open WebSocket takes, in each process: 500 that are idle, then 500 more
        that follow a turn and read nothing."""
        addresses = [self.websocket_url(at) for at in range(2)]
        before = self.memory_bytes()
        with self.run_readers("idle", SOCKETS, addresses):
            idle = self.memory_bytes()
            with (
                self.open_turn() as opener,
                self.run_readers("socket", SOCKETS, addresses, opener.turn_id),
            ):
                opener.join()
                slow = self.memory_bytes()
        each = 1024 * SOCKETS / 2
        return {
            "idle": [(now - was) / each for now, was in zip(idle, before, strict=True)],
            "slow": [(now - was) / each for now, was in zip(slow, idle, strict=True)],
        }


class TurnReader(threading.Thread):
    """Reads a turn to its end, and keeps the moment of each word."""

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
        """How many words have come."""
        return len(self._times)

    def wait_for_times(self, first: int, count: int) -> list[float]:
        """The moments of so many words from this one on, once they have come."""
        while self.word_count() < first + count:
            assert self.is_alive(), "the turn was too short: raise WORDS"
            time.sleep(0.05)
        return self._times[first : first + count]


def cpu_seconds(server: psutil.Process) -> float:
    times = server.cpu_times()
    return float(times.user + times.system)


@contextmanager
def run_paced_model() -> Iterator[str]:
    """A model that says WORDS words, one every PACE seconds; its address."""
    options = ["--words", str(WORDS), "--pace", str(SECONDS_PER_WORD)]
    command = [sys.executable, "-m", "tests.llm.fake_provider", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as model:
        assert model.stdout
        yield model.stdout.readline().strip()
        model.terminate()


def main() -> None:
    """Measure, print, write."""
    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    with ExitStack() as stack:
        bench = FollowerBenchmark(stack)
        bench.measure_turn(500)
        found = [bench.measure_turn(count) for _ in range(ROUNDS) for count in FOLLOWER_COUNTS]
        print_medians(found)
        for kind, taken in bench.measure_sockets().items():
            print(kind, [round(one) for one in taken], "KiB a socket")


def print_medians(found: list[TurnFigures]) -> None:
    """Medians of the rounds."""
    names = [name for name in TurnFigures.__dataclass_fields__ if name != "followers"]
    print("".join(f"{name:>14}" for name in ["followers", *names]))
    for count in FOLLOWER_COUNTS:
        rounds = [asdict(one) for one in found if one.followers == count]
        medians = [statistics.median(one[name] for one in rounds) for name in names]
        print(f"{count:>14}" + "".join(f"{median:>14.1f}" for median in medians))
    RESULTS.write_text(json.dumps([asdict(one) for one in found], indent=2) + "\n")


if __name__ == "__main__":
    main()
