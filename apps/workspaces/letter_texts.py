"""The texts of letters about invitations and the deletion of a workspace."""

from django.conf import settings
from django.urls import reverse

from apps.core.text import name_in_email
from apps.workspaces.letters import LetterText
from apps.workspaces.models import Invitation, Letter, Workspace
from apps.workspaces.queries import invitation_token


def invitation_text(letter: Letter) -> LetterText | None:
    """The link of an invitation that is still open. Repeating it sends the same link."""
    unused = Invitation.objects.filter(
        workspace_id=letter.workspace_id, pk=letter.subject_id, accepted_at=None, revoked_at=None
    )
    invitation = unused.select_related("workspace", "invited_by").first()
    if invitation is None:
        return None
    link = settings.PUBLIC_URL + reverse("accept_invitation", args=[invitation_token(invitation)])
    context = {
        "invitation": invitation,
        "workspace_name": name_in_email(invitation.workspace.name),
        "link": link,
    }
    return LetterText("workspaces/email/invitation", context)


def deletion_text(letter: Letter) -> LetterText | None:
    """That the workspace will be deleted and how to cancel that, unless it was cancelled."""
    not_closed = Workspace.objects.filter(pk=letter.workspace_id, closed_at=None)
    workspace = not_closed.exclude(deletion_due_at=None).first()
    if workspace is None:
        return None
    context = {
        "workspace": workspace,
        "workspace_name": name_in_email(workspace.name),
        "link": f"{settings.PUBLIC_URL}{workspace.get_absolute_url()}settings",
    }
    return LetterText("workspaces/email/deletion", context)
