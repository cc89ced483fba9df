from argparse import ArgumentParser
from typing import Any

from apps.chatbots.services import create_embedding_model
from apps.infrastructure.commands import OperatorCommand

FIELDS = (
    "api_base",
    "api_key_env",
    "dimensions",
    "max_input_tokens",
    "query_prefix",
    "passage_prefix",
    "batch_size",
    "credits_per_1k_tokens",
)


class Command(OperatorCommand):
    help = "Add an embedding model to the catalogue."

    def add_options(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="the public name")
        parser.add_argument("--litellm-model", required=True, metavar="ID")
        parser.add_argument("--api-base", default="", metavar="URL")
        parser.add_argument("--api-key-env", default="", metavar="VAR")
        parser.add_argument(
            "--dimensions", type=int, metavar="N", help="of its vectors, unless litellm knows"
        )
        parser.add_argument(
            "--max-input-tokens", type=int, default=512, metavar="N", help="of one text"
        )
        parser.add_argument(
            "--query-prefix", default="", metavar="T", help='such as "query: " for E5'
        )
        parser.add_argument(
            "--passage-prefix", default="", metavar="T", help='such as "passage: " for E5'
        )
        parser.add_argument(
            "--batch-size", type=int, default=32, metavar="N", help="texts in one request"
        )
        parser.add_argument("--credits-per-1k-tokens", type=int, default=0, metavar="N")
        parser.add_argument(
            "--default", action="store_true", help="make it the model of new knowledge bases"
        )

    def run(
        self, *, name: str, litellm_model: str, default: bool, **options: Any
    ) -> dict[str, Any]:
        model = create_embedding_model(
            name=name,
            litellm_model=litellm_model,
            is_default=default,
            **{key: options[key] for key in FIELDS},
        )
        return {
            "model": model.name,
            "id": model.id,
            "provider": model.provider,
            "api_base": model.api_base,
            "api_key_env": model.api_key_env,
            "dimensions": model.dimensions,
            "is_default": model.is_default,
        }
