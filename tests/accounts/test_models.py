from __future__ import annotations

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth import authenticate
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from apps.accounts.models import User
from apps.core.ids import is_id, new_id
from tests.factories import Team


def new_email() -> str:
    return f"Dana-{new_id()}@Example.COM"


def test_user_has_an_opaque_id_and_no_permissions(db: None) -> None:
    user = User.objects.create_user(new_email(), "a-good-password")
    assert is_id(user.id)
    assert (user.is_active, user.is_staff, user.is_superuser) == (True, False, False)


def test_superuser_is_staff(db: None) -> None:
    user = User.objects.create_superuser(new_email(), "a-good-password")
    assert (user.is_staff, user.is_superuser) == (True, True)


def test_email_is_stored_with_a_lowercase_domain(db: None) -> None:
    email = new_email()
    user = User.objects.create_user(f"  {email} ")
    assert user.email == email.replace("Example.COM", "example.com")


def test_user_authenticates_with_the_email_in_any_case(team: Team) -> None:
    email = team.alice.email.upper()
    assert authenticate(email=email, password="a-good-password") == team.alice


def test_password_of_another_user_is_rejected(team: Team) -> None:
    team.bob.set_password("another-password")
    team.bob.save()
    assert authenticate(email=team.alice.email, password="another-password") is None


def test_user_without_a_password_cannot_authenticate(db: None) -> None:
    user = User.objects.create_user(new_email())
    assert user.has_usable_password() is False
    assert authenticate(email=user.email, password="") is None


def test_password_is_stored_as_a_hash(team: Team) -> None:
    assert team.alice.check_password("a-good-password") is True
    assert "a-good-password" not in team.alice.password


@pytest.mark.parametrize("email", ["", "nobody", "a@b@c.example", "x" * 250 + "@example.com"])
def test_invalid_email_is_rejected(db: None, email: str) -> None:
    with pytest.raises(ValidationError) as caught:
        User.objects.create_user(email)
    assert list(caught.value.message_dict) == ["email"]


def test_email_of_another_user_is_rejected_in_any_case(team: Team) -> None:
    with pytest.raises(ValidationError, match="An account with this email address already exists"):
        User.objects.create_user(team.alice.email.upper())


def test_database_rejects_an_email_that_differs_only_in_case(team: Team) -> None:
    with (
        pytest.raises(IntegrityError, match="accounts_user_email_unique"),
        transaction.atomic(),
    ):
        User.objects.create(email=team.alice.email.upper())


def test_user_is_found_from_async_code(team: Team) -> None:
    user = async_to_sync(User.objects.aget_by_natural_key)(team.alice.email.upper())
    assert user == team.alice
