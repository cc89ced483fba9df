from argparse import ArgumentParser
from typing import Any

from apps.api_keys.models import ApiKey
from apps.api_keys.services import revoke_key
from apps.infrastructure.commands import OperatorCommand


class Command(OperatorCommand):
    help = "Revoke an API key: every process refuses it within a second."

    def add_options(self, parser: ArgumentParser) -> None:
        parser.add_argument("id", help="the key's id, as issue_key printed it")

    def run(self, *, id: str, **_: Any) -> dict[str, Any]:
        key = ApiKey.objects.filter(pk=id).first()
        if key is None:
            raise ValueError(f"There is no API key with the id {id!r}.")
        revoked = revoke_key(key=key)
        return {"id": revoked.id, "revoked_at": revoked.revoked_at}
