"""The shared cast of the tests: rows as the system itself would make them."""

from typing import Any

from allauth.account.models import EmailAddress
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from factory.declarations import Sequence
from factory.django import DjangoModelFactory

from accounts.credentials import EVERY_SCOPE, NewApiKey, make_api_key
from accounts.models import User

PASSWORD = "correct horse battery"
# One round: a user costs no third of a second. The first sign-in hashes it anew, as it does old hashes.
_HASH = PBKDF2PasswordHasher().encode(PASSWORD, "of-the-test-cast", iterations=1)


class UserFactory(DjangoModelFactory[User]):
    """A user who can sign in with PASSWORD: their e-mail is confirmed."""

    class Meta:
        model = User
        skip_postgeneration_save = True

    email = Sequence(lambda number: f"person{number}@example.com")  # type: ignore[no-untyped-call]

    @classmethod
    def _create(cls, model_class: type[User], *args: Any, **kwargs: Any) -> User:
        user = User.objects.create(**{"password": _HASH, **kwargs})
        if user.email:
            EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
        return user


def api_key(owner: User, *scopes: str) -> NewApiKey:
    """A key of `owner`; without scopes named, with all."""
    return make_api_key(owner, name="test", scopes=scopes or sorted(EVERY_SCOPE))
