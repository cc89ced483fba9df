from argparse import ArgumentParser
from typing import Any

from django.db import transaction

from apps.accounts.models import User
from apps.accounts.second_factor import remove_second_factors
from apps.audit.services import SYSTEM, record
from apps.infrastructure.commands import OperatorCommand


class Command(OperatorCommand):
    help = "Remove the second factors of a user who lost them, and end all of their sessions."

    def add_options(self, parser: ArgumentParser) -> None:
        parser.add_argument("email", help="the user's email address")

    @transaction.atomic
    def run(self, *, email: str, **_: Any) -> dict[str, Any]:
        user = User.objects.filter(email__iexact=email).first()
        if user is None:
            raise ValueError(f"There is no user {email!r}.")
        count = remove_second_factors(user)
        record(
            workspace_id=None,
            actor=SYSTEM,
            action="user.second_factor_reset",
            target_id=user.pk,
            target_label=user.email,
        )
        return {"user": user.email, "removed": count}
