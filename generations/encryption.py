"""Columns that are encrypted at rest: providers' URLs, which are keys to paid videos."""

import base64
import hmac

from cryptography.fernet import Fernet, MultiFernet
from django.conf import settings


def _fernet() -> MultiFernet:
    """The first key writes, all of them read: so a key is replaced by putting a new one first."""
    return MultiFernet(
        [
            Fernet(base64.urlsafe_b64encode(hmac.digest(key.encode(), b"encrypted columns", "sha256")))
            for key in settings.FIELD_ENCRYPTION_KEYS
        ]
    )


def encrypt(text: str) -> bytes:
    return _fernet().encrypt(text.encode())


def decrypt(secret: bytes) -> str:
    """Raises cryptography.fernet.InvalidToken where no key fits."""
    return _fernet().decrypt(bytes(secret)).decode()
