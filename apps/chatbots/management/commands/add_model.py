from argparse import ArgumentParser
from typing import Any

from apps.chatbots.services import create_language_model
from apps.infrastructure.commands import OperatorCommand

PRICES = ("credits_per_reply", "credits_per_1k_input", "credits_per_1k_output")


class Command(OperatorCommand):
    help = "Add a language model to the catalogue."

    def add_options(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="the public name")
        parser.add_argument("--litellm-model", required=True, metavar="ID")
        parser.add_argument("--api-base", default="", metavar="URL")
        parser.add_argument("--api-key-env", default="", metavar="VAR")
        for price in PRICES:
            option = "--" + price.replace("_", "-")
            parser.add_argument(option, type=int, default=0, metavar="N")

    def run(
        self, *, name: str, litellm_model: str, api_base: str, api_key_env: str, **options: Any
    ) -> dict[str, Any]:
        model = create_language_model(
            name=name,
            litellm_model=litellm_model,
            api_base=api_base,
            api_key_env=api_key_env,
            **{price: options[price] for price in PRICES},
        )
        return {
            "model": model.name,
            "id": model.id,
            "provider": model.provider,
            "api_base": model.api_base,
            "api_key_env": model.api_key_env,
        }
