from __future__ import annotations

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth import authenticate
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from apps.accounts.models import User
from apps.core.ids import is_id, new_id
from tests.factories import Team


def address() -> str:
    return f"Dana-{new_id()}@Example.COM"


def test_person_has_an_opaque_id_and_no_powers(db: None) -> None:
    user = User.objects.create_user(address(), "a-good-password")
    assert is_id(user.id)
    assert (user.is_active, user.is_staff, user.is_superuser) == (True, False, False)


def test_superuser_may_do_everything(db: None) -> None:
    user = User.objects.create_superuser(address(), "a-good-password")
    assert (user.is_staff, user.is_superuser) == (True, True)


def test_address_is_kept_as_written_but_for_its_domain(db: None) -> None:
    email = address()
    user = User.objects.create_user(f"  {email} ")
    assert user.email == email.replace("Example.COM", "example.com")


def test_person_signs_in_with_the_address_in_any_case(team: Team) -> None:
    email = team.alice.email.upper()
    assert authenticate(email=email, password="a-good-password") == team.alice


def test_person_does_not_sign_in_with_anothers_password(team: Team) -> None:
    team.bob.set_password("another-password")
    team.bob.save()
    assert authenticate(email=team.alice.email, password="another-password") is None


def test_person_without_a_password_cannot_sign_in(db: None) -> None:
    user = User.objects.create_user(address())
    assert user.has_usable_password() is False
    assert authenticate(email=user.email, password="") is None


def test_password_is_kept_as_a_hash(team: Team) -> None:
    assert team.alice.check_password("a-good-password") is True
    assert "a-good-password" not in team.alice.password


@pytest.mark.parametrize("email", ["", "nobody", "a@b@c.example", "x" * 250 + "@example.com"])
def test_person_needs_a_real_address(db: None, email: str) -> None:
    with pytest.raises(ValidationError) as caught:
        User.objects.create_user(email)
    assert list(caught.value.message_dict) == ["email"]


def test_address_of_another_person_is_refused_in_any_case(team: Team) -> None:
    with pytest.raises(ValidationError, match="person with this email address exists"):
        User.objects.create_user(team.alice.email.upper())


def test_database_refuses_an_address_that_differs_by_case_only(team: Team) -> None:
    with (
        pytest.raises(IntegrityError, match="accounts_user_email_unique"),
        transaction.atomic(),
    ):
        User.objects.create(email=team.alice.email.upper())


def test_person_is_found_from_async_code(team: Team) -> None:
    found = async_to_sync(User.objects.aget_by_natural_key)(team.alice.email.upper())
    assert found == team.alice
