from argparse import ArgumentParser
from typing import Any

from django.db import transaction

from apps.accounts.models import User
from apps.infrastructure.commands import OperatorCommand
from apps.workspaces.services import create_workspace


class Command(OperatorCommand):
    help = "Create a workspace. Its owner is found by email, or added without a password."

    def add_options(self, parser: ArgumentParser) -> None:
        parser.add_argument("slug", help="lowercase letters, digits and hyphens")
        parser.add_argument("--owner-email", required=True, metavar="E")
        parser.add_argument("--name", default="", help="shown to people; the slug by default")

    @transaction.atomic
    def run(self, *, slug: str, owner_email: str, name: str, **_: Any) -> dict[str, Any]:
        owner = User.objects.filter(email__iexact=owner_email).first()
        owner = owner or User.objects.create_user(owner_email)
        workspace = create_workspace(slug=slug, owner=owner, name=name)
        return {"workspace": workspace.slug, "id": workspace.id, "owner_email": owner.email}
