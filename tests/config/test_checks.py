"""Each combination of settings that must not serve users is refused under its own id."""

from datetime import timedelta

import pytest
from django.core.checks import run_checks
from pytest_django import Settings

from workers import clock


@pytest.fixture
def production(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.delenv("CRASH_POINT", raising=False)
    settings.DEBUG = False
    settings.TEST_DOORS = False
    settings.EMBEDDED_ORIGINS = []
    settings.PUBLIC_URL = "https://api.example.com"
    settings.APP_ORIGIN = "https://app.example.com"
    return settings


def found(deploy: bool = False) -> set[str | None]:
    messages = run_checks(include_deployment_checks=deploy, databases=["default"])
    return {message.id for message in messages if str(message.id).startswith("config.")}


@pytest.mark.django_db
def test_a_sound_production_passes(production: Settings) -> None:
    assert found(deploy=True) == set()


@pytest.mark.django_db
def test_test_doors_are_refused_in_production(production: Settings) -> None:
    production.TEST_DOORS = True

    assert found() == {"config.E001"}


@pytest.mark.django_db
def test_embedded_origins_are_refused_in_production(production: Settings) -> None:
    production.EMBEDDED_ORIGINS = ["http://127.0.0.1:9000"]

    assert found() == {"config.E002"}


@pytest.mark.django_db
def test_a_crash_point_is_refused_in_production(
    production: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRASH_POINT", "submit.before")

    assert found() == {"config.E003"}


@pytest.mark.django_db
def test_a_moved_clock_is_refused_in_production(production: Settings) -> None:
    production.TEST_DOORS = True
    clock.advance(timedelta(days=7))
    production.TEST_DOORS = False

    assert found() == {"config.E004"}


@pytest.mark.django_db
def test_an_address_that_only_works_here_is_a_warning_at_deployment(production: Settings) -> None:
    production.PUBLIC_URL = "http://localhost:8000"

    assert found() == set()
    assert found(deploy=True) == {"config.W001"}


@pytest.mark.django_db
def test_a_developers_machine_may_do_all_of_that(
    production: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    production.DEBUG = True
    production.TEST_DOORS = True
    production.EMBEDDED_ORIGINS = ["http://127.0.0.1:9000"]
    monkeypatch.setenv("CRASH_POINT", "submit.before")

    assert found() == set()
