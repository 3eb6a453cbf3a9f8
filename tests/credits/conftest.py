"""The cast of the money tests."""

import pytest

from accounts.models import User
from tests.factories import UserFactory


@pytest.fixture
def owner(db: None) -> User:
    return UserFactory.create(name="Ana")


@pytest.fixture
def stranger(db: None) -> User:
    return UserFactory.create(name="Sten")


@pytest.fixture
def operator(db: None) -> User:
    return UserFactory.create(name="Olga", is_staff=True)
