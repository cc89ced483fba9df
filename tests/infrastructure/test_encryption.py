from __future__ import annotations

import pytest
from pytest_django import Settings

from apps.infrastructure.encryption import Cipher, DecryptionFailed

CIPHER = Cipher("one purpose")


def test_encrypted_secret_can_be_decrypted() -> None:
    encrypted = CIPHER.encrypt("s3cret é")
    assert (CIPHER.decrypt(encrypted), "s3cret" in encrypted) == ("s3cret é", False)


def test_secret_key_can_be_changed(settings: Settings) -> None:
    encrypted = CIPHER.encrypt("s3cret")
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another-key-" * 5
    assert CIPHER.decrypt(encrypted) == "s3cret"


@pytest.mark.parametrize("encrypted", ["", "nonsense", Cipher("another purpose")])
def test_other_text_cannot_be_decrypted(encrypted: str | Cipher) -> None:
    with pytest.raises(DecryptionFailed):
        CIPHER.decrypt(encrypted.encrypt("s3cret") if isinstance(encrypted, Cipher) else encrypted)
