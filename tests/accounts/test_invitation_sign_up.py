"""Accepting an invitation, from the email to the workspace."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from django.test import Client

from apps.accounts.models import User
from apps.accounts.services import mark_email_verified
from apps.core.ids import new_id
from apps.workspaces.models import Invitation, Member, Role
from apps.workspaces.queries import invitation_token
from apps.workspaces.services import invite, revoke_invitation
from tests.accounts.browser_session import (
    PASSWORD,
    is_signed_in,
    log_in,
    new_browser,
    sent_emails,
    sign_up,
)
from tests.factories import Team
from tests.workspaces.members import actor_for, get_member

pytestmark = pytest.mark.usefixtures("empty_queue")


def make_invitation(team: Team, email: str, role: Role = Role.MEMBER) -> tuple[Invitation, str]:
    """An open invitation and the path of its link."""
    alice = get_member(team.workspace, team.alice)
    invitation = invite(
        workspace=team.workspace, email=email, role=role, by=alice, actor=actor_for(alice)
    )
    return invitation, f"/invitations/{invitation_token(invitation)}"


def make_signed_in_user(email: str) -> tuple[User, Client]:
    """A user with an account, and a signed-in client."""
    user, client = User.objects.create_user(email, PASSWORD), new_browser()
    mark_email_verified(user=user)
    log_in(client, email)
    return user, client


def role_of(team: Team, email: str) -> str | None:
    member = Member.objects.filter(workspace=team.workspace, user__email=email).first()
    return member.role if member else None


def test_invited_user_signs_up_without_a_second_email(live_team: Team) -> None:
    email, client = f"dana-{new_id()}@example.com", new_browser()
    _, link = make_invitation(live_team, email, Role.ADMIN)
    sent_emails()
    page = client.get(link).content.decode()
    assert f'href="/signup?next={link}&amp;email=' in page
    assert "workspace_name" not in client.get(f"/signup?next={link}").context["form"].fields
    assert sign_up(client, email, None, next=link).headers["Location"] == link
    assert is_signed_in(client) is True
    assert sent_emails() == []
    response = client.post(link)
    assert response.headers["Location"] == f"/w/{live_team.workspace.slug}/"
    assert role_of(live_team, email) == "admin"
    assert Member.objects.filter(user__email=email).count() == 1


def test_sign_up_from_an_invitation_uses_the_invited_address(live_team: Team) -> None:
    email, other = f"dana-{new_id()}@example.com", f"eve-{new_id()}@example.com"
    _, link = make_invitation(live_team, email)
    client = new_browser()
    client.get(link)
    sign_up(client, other, None, next=link)
    assert User.objects.filter(email=email).count() == 1
    assert User.objects.filter(email=other).count() == 0


def test_invitation_link_verifies_no_other_address(live_team: Team) -> None:
    _, link = make_invitation(live_team, f"dana-{new_id()}@example.com")
    client, other = new_browser(), f"eve-{new_id()}@example.com"
    client.get(link)
    assert sign_up(client, other).headers["Location"] == "/verify-email"
    assert is_signed_in(client) is False
    assert (other, "Confirm your email address") in sent_emails()


def test_invited_user_with_an_account_logs_in_and_joins(live_team: Team) -> None:
    email = f"dana-{new_id()}@example.com"
    make_signed_in_user(email)
    client, (_, link) = new_browser(), make_invitation(live_team, email.upper(), Role.VIEWER)
    assert f'href="/login?next={link}"' in client.get(link).content.decode()
    assert log_in(client, email, then=link).headers["Location"] == link
    assert client.get(link).content.decode().count(">Join</button>") == 1
    assert role_of(live_team, email) is None
    client.post(link)
    assert role_of(live_team, email) == "viewer"


def test_invitation_link_is_rejected_for_another_account(live_team: Team) -> None:
    eve = f"eve-{new_id()}@example.com"
    _, client = make_signed_in_user(eve)
    _, link = make_invitation(live_team, f"dana-{new_id()}@example.com")
    assert ">Join</button>" not in client.get(link).content.decode()
    answer = client.post(link)
    assert (answer.status_code, role_of(live_team, eve)) == (410, None)
    assert "for another email address" in answer.content.decode()


@pytest.mark.parametrize("logs_out_by_the_link", [True, False])
def test_invitation_opened_in_another_session_is_returned_to(
    live_team: Team, logs_out_by_the_link: bool
) -> None:
    dana = f"dana-{new_id()}@example.com"
    make_signed_in_user(dana)
    _, client = make_signed_in_user(f"eve-{new_id()}@example.com")
    _, link = make_invitation(live_team, dana)
    page = client.get(link).content.decode()
    logout = f"/logout?next={quote(link)}"
    assert f'href="{logout}"' in page
    if logs_out_by_the_link:
        assert f'name="next" value="{link}"' in client.get(logout).content.decode()
        assert client.post("/logout", {"next": link}).headers["Location"] == link
        assert f'href="/login?next={quote(link)}"' in client.get(link).content.decode()
    else:
        client.post("/logout")
    log_in(client, dana)
    assert client.get("/workspaces").headers["Location"] == link
    assert client.get(link).content.decode().count(">Join</button>") == 1
    client.get("/workspaces", follow=True)  # once only
    assert client.get("/workspaces").status_code == 200


def test_two_invitations_in_one_browser_are_each_for_its_own_address(live_team: Team) -> None:
    dana, eve = f"dana-{new_id()}@example.com", f"eve-{new_id()}@example.com"
    (_, first), (_, second) = make_invitation(live_team, dana), make_invitation(live_team, eve)
    client = new_browser()
    client.get(first)
    client.get(second)
    form = client.get(f"/signup?next={first}").context["form"]
    assert form.fields["email"].initial == dana
    assert sign_up(client, dana, None, next=first).headers["Location"] == first
    client.post(first)
    assert (role_of(live_team, dana), role_of(live_team, eve)) == ("member", None)
    client.post("/logout")
    assert sign_up(client, eve, None, next=second).headers["Location"] == second
    client.post(second)
    assert role_of(live_team, eve) == "member"
    assert User.objects.filter(email__in=[dana, eve]).count() == 2


def test_each_person_returns_to_their_own_invitation(live_team: Team) -> None:
    dana, eve = f"dana-{new_id()}@example.com", f"eve-{new_id()}@example.com"
    for email in (dana, eve):
        make_signed_in_user(email)
    (_, first), (_, second) = make_invitation(live_team, dana), make_invitation(live_team, eve)
    client = new_browser()
    client.get(first)
    client.get(second)
    for email, link in ((dana, first), (eve, second)):
        log_in(client, email)
        assert client.get("/workspaces").headers["Location"] == link
        client.post(link)
        client.post("/logout")


def test_ended_or_forged_invitation_is_not_returned_to(live_team: Team) -> None:
    dana = f"dana-{new_id()}@example.com"
    make_signed_in_user(dana)
    invitation, link = make_invitation(live_team, dana)
    foreign, _ = make_invitation(live_team, f"eve-{new_id()}@example.com")
    client = new_browser()
    client.get(link)
    revoke_invitation(
        invitation=invitation, actor=actor_for(get_member(live_team.workspace, live_team.bob))
    )
    log_in(client, dana)
    assert client.get("/workspaces").status_code == 200
    for forged in (foreign.pk, "x", f"{new_id()}.{foreign.pk}", "." * 5000):
        client.cookies["invitations"] = forged
        assert client.get("/workspaces").status_code == 200


def test_revoked_and_invalid_links_show_an_error(live_team: Team) -> None:
    email = f"dana-{new_id()}@example.com"
    _, client = make_signed_in_user(email)
    invitation, link = make_invitation(live_team, email)
    revoke_invitation(
        invitation=invitation, actor=actor_for(get_member(live_team.workspace, live_team.bob))
    )
    assert "revoked or replaced" in client.post(link).content.decode()
    for token in ("x", "a~b", f"{invitation.pk}~x"):
        answer = client.get(f"/invitations/{token}")
        assert (answer.status_code, "incomplete or invalid" in answer.content.decode()) == (
            410,
            True,
        )


def test_signed_out_visitor_cannot_accept_an_invitation(live_team: Team) -> None:
    email = f"dana-{new_id()}@example.com"
    _, link = make_invitation(live_team, email)
    assert new_browser().post(link).status_code == 200
    assert role_of(live_team, email) is None
