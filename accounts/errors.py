"""What can go wrong with accounts.

DomainError
├─ IdentityProviderAway   the issuer of a token can't be asked; try again
├─ AccountErased          the identity belongs to an account that is gone
├─ AccountSuspended       an operator stopped the account from spending
├─ ScopeMissing           the credential may not do this
├─ InteractiveOnly        an API key can't do this at all
├─ TooManyApiKeys
├─ IdempotencyKeyReused
└─ IdempotencyKeyInvalid
"""

from typing import ClassVar

from workers.errors import DomainError


class IdentityProviderAway(DomainError):
    """The sign-in service can't be reached; try again in a moment."""

    code: ClassVar[str] = "identity_provider_unavailable"
    retryable: ClassVar[bool] = True


class AccountErased(DomainError):
    """This account was erased."""

    code: ClassVar[str] = "account_erased"


class AccountSuspended(DomainError):
    """This account is suspended: it can read, but not spend. Write to support."""

    code: ClassVar[str] = "account_suspended"


class ScopeMissing(DomainError):
    """This needs the scope '{scope}', which the credential doesn't have."""

    code: ClassVar[str] = "insufficient_scope"


class InteractiveOnly(DomainError):
    """An API key can't do this: sign in."""

    code: ClassVar[str] = "interactive_only"


class TooManyApiKeys(DomainError):
    """An account has at most {limit} API keys: revoke one first."""

    code: ClassVar[str] = "too_many_api_keys"


class IdempotencyKeyReused(DomainError):
    """The Idempotency-Key {key} was used for another request. Use a new key."""

    code: ClassVar[str] = "idempotency_key_reused"


class IdempotencyKeyInvalid(DomainError):
    """An Idempotency-Key is at most {longest} printable ASCII characters."""

    code: ClassVar[str] = "idempotency_key_invalid"
