"""An operator, and the clips of tests/generations."""

import pytest
from django.test import Client

from accounts.models import User
from tests.generations.conftest import api, clip, owner, worker

__all__ = ["api", "clip", "operator", "owner", "worker"]


@pytest.fixture
def operator(transactional_db: None) -> Client:
    client = Client(SERVER_NAME="localhost")
    client.force_login(
        User.objects.create_superuser(email="operator@example.com"),
        backend="django.contrib.auth.backends.ModelBackend",
    )
    return client
