"""Workshops for films, and sources that many tests share."""

from collections.abc import Callable
from pathlib import Path

import pytest

from .films import Workshop, numbers, source


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path)


@pytest.fixture(scope="session")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """By digest: `dark` counts from 20 to 107 in steps of 3, `light` from 120 to 207; `even` is 100 all the time."""
    folder = tmp_path_factory.mktemp("sources")
    return {
        "dark": source(folder / "dark.mp4", numbers(20, 30)),
        "light": source(folder / "light.mp4", numbers(120, 30)),
        "even": source(folder / "even.mp4", [100] * 30),
    }


@pytest.fixture(scope="session")
def shared_workshop(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Workshop]:
    """One workshop for each name, for what is made once and looked at by several tests."""
    made: dict[str, Workshop] = {}

    def workshop_of(name: str) -> Workshop:
        if name not in made:
            made[name] = Workshop(tmp_path_factory.mktemp(name))
        return made[name]

    return workshop_of
