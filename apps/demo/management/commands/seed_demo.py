import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from apps.demo.seed import seed_demo
from apps.infrastructure.commands import OperatorCommand


class Command(OperatorCommand):
    help = "Create or repair the demo workspace, and print its credentials."

    def add_options(self, parser: ArgumentParser) -> None:
        parser.add_argument("--base-url", default="http://127.0.0.1:8000", metavar="URL")
        parser.add_argument(
            "--model-api-base",
            default="",
            metavar="URL",
            help="an OpenAI-compatible server; without one, the sandbox echo model is used",
        )
        parser.add_argument(
            "--embedding-api-base",
            default="",
            metavar="URL",
            help="a server of multilingual-e5-small; without one, the sandbox's model is used",
        )
        parser.add_argument(
            "--previous",
            type=Path,
            metavar="FILE",
            help="output of an earlier run, whose passwords and key are kept",
        )

    def run(
        self,
        *,
        base_url: str,
        model_api_base: str,
        embedding_api_base: str,
        previous: Path | None,
        **_: Any,
    ) -> dict[str, Any]:
        earlier = json.loads(previous.read_text()) if previous and previous.is_file() else {}
        return seed_demo(
            base_url=base_url,
            model_api_base=model_api_base,
            embedding_api_base=embedding_api_base,
            previous=earlier,
        )
