"""The texts of letters about credits, to the members of a workspace who may request more."""

from typing import Any

from django.conf import settings

from apps.core.text import name_in_email
from apps.credits.models import DECIDED_STATES, Alert, CreditRequest
from apps.workspaces.letters import LetterText
from apps.workspaces.models import Letter
from apps.workspaces.queries import users_with_permission
from apps.workspaces.roles import Permission


def recipients(workspace_id: str) -> list[str]:
    """Return the addresses of the members who may request credits."""
    users = users_with_permission(workspace_id, Permission.REQUEST_CREDITS)
    return [user.email for user in users]


def alert_text(letter: Letter) -> LetterText | None:
    """The balance fell below a limit."""
    alert = Alert.objects.filter(workspace_id=letter.workspace_id, pk=letter.subject_id).first()
    return None if alert is None else _text("alert", letter, alert=alert)


def decision_text(letter: Letter) -> LetterText | None:
    """A request was accepted or declined."""
    requests = CreditRequest.objects.select_related("plan").filter(
        workspace_id=letter.workspace_id, pk=letter.subject_id, state__in=DECIDED_STATES
    )
    request = requests.first()
    return None if request is None else _text("decision", letter, request=request)


def _text(template: str, letter: Letter, **context: Any) -> LetterText:
    workspace = letter.workspace
    context |= {
        "workspace_name": name_in_email(workspace.name),
        "link": f"{settings.PUBLIC_URL}{workspace.get_absolute_url()}credits",
    }
    return LetterText(f"credits/email/{template}", context)
