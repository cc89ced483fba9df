from __future__ import annotations

import pytest
from pytest_django import Settings

from apps.infrastructure.encryption import Cipher, DecryptionFailed

SEAL = Cipher("one purpose")


def test_what_is_sealed_can_be_read_again_and_does_not_show() -> None:
    sealed = SEAL.encrypt("s3cret é")
    assert (SEAL.decrypt(sealed), "s3cret" in sealed) == ("s3cret é", False)


def test_secret_key_can_be_changed(settings: Settings) -> None:
    sealed = SEAL.encrypt("s3cret")
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another-key-" * 5
    assert SEAL.decrypt(sealed) == "s3cret"


@pytest.mark.parametrize("sealed", ["", "nonsense", Cipher("another purpose")])
def test_what_was_not_sealed_here_is_unreadable(sealed: str | Cipher) -> None:
    with pytest.raises(DecryptionFailed):
        SEAL.decrypt(sealed.encrypt("s3cret") if isinstance(sealed, Cipher) else sealed)
