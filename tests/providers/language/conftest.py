from collections.abc import Iterator

import pytest

from tests.vendors import Gemini, Groq, Xai

from .vendors import VENDORS, Vendor


@pytest.fixture(params=sorted(VENDORS))
def vendor(request: pytest.FixtureRequest) -> Vendor:
    return VENDORS[request.param]


@pytest.fixture
def simulator(vendor: Vendor) -> Iterator[Groq | Xai | Gemini]:
    """The vendor's."""
    with vendor.simulator() as running:
        yield running


@pytest.fixture
def groq() -> Iterator[Groq]:
    with Groq() as running:
        yield running


@pytest.fixture
def xai() -> Iterator[Xai]:
    with Xai() as running:
        yield running


@pytest.fixture
def gemini() -> Iterator[Gemini]:
    with Gemini() as running:
        yield running
