"""The cast of the account tests."""

import pytest
from redis import Redis
from rest_framework.test import APIClient

from accounts.models import User
from tests.accounts.project import project
from tests.factories import UserFactory
from workers.redis_breaker import breaker

__all__ = ["project"]

# What `me/` asks once it knows who asks: the storage used.
STATEMENTS_OF_ME = 1


@pytest.fixture
def owner(db: None) -> User:
    return UserFactory.create(name="Ana")


@pytest.fixture
def stranger(db: None) -> User:
    return UserFactory.create(name="Sten")


@pytest.fixture
def client() -> APIClient:
    """A client that signs in for real, or not at all."""
    return APIClient()


@pytest.fixture(autouse=True)
def nothing_counted_yet() -> None:
    """Redis outlives a test; what earlier tests used up must not count in this one."""

    def forget(redis: "Redis") -> None:
        for key in redis.scan_iter("rate:*"):
            redis.delete(key)

    breaker().call(forget)
