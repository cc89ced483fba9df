from typing import Any

from apps.accounts.second_factor import reseal_second_factors
from apps.infrastructure.commands import OperatorCommand
from apps.infrastructure.encryption import reseal_column
from apps.webhooks.models import Endpoint
from apps.webhooks.signing import reseal_secret


class Command(OperatorCommand):
    help = "Encrypt all stored secrets with the current SECRET_KEY, so that the old one can go."

    def run(self, **_: Any) -> dict[str, Any]:
        endpoints = Endpoint.objects.all()
        counts = {
            "second_factors": reseal_second_factors(),
            "webhook_secrets": reseal_column(endpoints, "sealed_secret", reseal_secret),
            "previous_webhook_secrets": reseal_column(
                endpoints.exclude(sealed_previous_secret=""),
                "sealed_previous_secret",
                reseal_secret,
            ),
        }
        return {name: dict(outcomes) for name, outcomes in counts.items()}
