"""The shared cast of the tests: rows as the system itself would make them."""

from typing import Any

import factory
from allauth.account.models import EmailAddress
from factory.django import DjangoModelFactory

from accounts.credentials import EVERY_SCOPE, NewApiKey, make_api_key
from accounts.models import User

PASSWORD = "correct horse battery"


class UserFactory(DjangoModelFactory[User]):
    """A user who can sign in with PASSWORD: their e-mail is confirmed."""

    class Meta:
        model = User
        skip_postgeneration_save = True

    email = factory.Sequence(lambda number: f"person{number}@example.com")
    name = factory.Faker("first_name")

    @classmethod
    def _create(cls, model_class: type[User], *args: Any, **kwargs: Any) -> User:
        user = User.objects.create_user(kwargs.pop("email"), kwargs.pop("password", PASSWORD), **kwargs)
        if user.email:
            EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
        return user


def api_key(owner: User, *scopes: str) -> NewApiKey:
    """A key of `owner`; without scopes named, with all."""
    return make_api_key(owner, name="test", scopes=scopes or sorted(EVERY_SCOPE))
