from collections.abc import Iterator

import pytest

from tests.vendors import ElevenLabs, Fal


@pytest.fixture
def vendor() -> Iterator[ElevenLabs]:
    with ElevenLabs() as running:
        yield running


@pytest.fixture
def fal() -> Iterator[Fal]:
    with Fal() as running:
        yield running
