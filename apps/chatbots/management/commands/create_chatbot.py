from argparse import ArgumentParser, BooleanOptionalAction
from typing import Any

from apps.chatbots.queries import get_language_model_by_name
from apps.chatbots.services import create_chatbot
from apps.infrastructure.commands import OperatorCommand
from apps.workspaces.queries import get_workspace_by_slug

FIELDS = {
    "system_prompt": "system_prompt",
    "rate_limit": "rate_limit_requests",
    "rate_window": "rate_limit_window_seconds",
    "stream": "stream_by_default",
}


class Command(OperatorCommand):
    help = "Create a chatbot."

    def add_options(self, parser: ArgumentParser) -> None:
        parser.add_argument("workspace", help="the workspace's slug")
        parser.add_argument("--name", required=True, metavar="N")
        parser.add_argument("--model", required=True, metavar="NAME", help="from the catalogue")
        parser.add_argument("--system-prompt", metavar="T")
        parser.add_argument("--rate-limit", type=int, metavar="N", help="requests per window")
        parser.add_argument("--rate-window", type=int, metavar="SECONDS")
        parser.add_argument("--stream", action=BooleanOptionalAction, help="the default")

    def run(self, *, workspace: str, name: str, model: str, **options: Any) -> dict[str, Any]:
        fields = {FIELDS[key]: options[key] for key in FIELDS if options[key] is not None}
        chatbot = create_chatbot(
            workspace=get_workspace_by_slug(workspace),
            name=name,
            language_model=get_language_model_by_name(model),
            **fields,
        )
        return {"chatbot_id": chatbot.id, "name": chatbot.name, "model": model}
