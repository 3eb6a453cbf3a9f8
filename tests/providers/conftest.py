import os
from collections.abc import Iterator

import pytest

from providers import registry
from providers.contract import VideoProvider

from .sandbox import RunningSandbox
from .servers import RawServer, answers, serving


@pytest.fixture
def sandbox() -> VideoProvider:
    """The adapter as the system uses it, its service the stack's."""
    return registry.provider("sandbox")


@pytest.fixture
def service() -> RunningSandbox:
    """The stack's service, spoken to directly."""
    return RunningSandbox(os.environ["SANDBOX_URL"], os.environ["SANDBOX_API_KEY"])


@pytest.fixture
def receiver() -> Iterator[RawServer]:
    """Takes webhooks."""
    with serving(answers(204, b"")) as server:
        yield server
