"""What joining gives, once per identity."""

import pytest
from pytest_django.fixtures import Settings

from accounts.models import User
from accounts.signals import user_joined
from credits import ledger
from credits.models import Account
from credits.verification import verify

pytestmark = pytest.mark.django_db


def join(user: User, identity: str) -> None:
    user_joined.send(sender=User, user=user, identity_key=identity)


@pytest.fixture(autouse=True)
def welcome(settings: Settings) -> None:
    settings.SIGNUP_CREDITS = 500


def test_joining_opens_an_account_with_free_credits(owner: User) -> None:
    join(owner, "identity")
    assert ledger.balance_of(owner.pk).balance == 500


def test_an_identity_has_its_free_credits_once(owner: User, stranger: User) -> None:
    join(owner, "identity")
    join(owner, "identity")
    join(stranger, "identity")
    assert ledger.balance_of(owner.pk).balance == 500
    assert ledger.balance_of(stranger.pk).balance == 0
    assert Account.objects.filter(pk=stranger.pk).exists()
    assert verify(stranger.pk).agrees


def test_joining_again_after_the_setting_changed_gives_nothing_more(owner: User, settings: Settings) -> None:
    join(owner, "identity")
    settings.SIGNUP_CREDITS = 900
    join(owner, "identity")
    assert ledger.balance_of(owner.pk).balance == 500


def test_where_nothing_is_free_the_account_is_opened_empty(owner: User, settings: Settings) -> None:
    settings.SIGNUP_CREDITS = 0
    join(owner, "identity")
    assert Account.objects.get(pk=owner.pk).balance == 0
