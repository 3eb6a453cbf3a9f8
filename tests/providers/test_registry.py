"""Providers by name: found, unavailable without settings, limited by facts and settings."""

import pytest
from pytest_django import Settings

from providers import registry
from providers.adapters import UnknownProvider
from providers.catalogue import ProviderLimits
from providers.errors import NotConfigured
from providers.vendors import VIDEO_PROVIDERS
from providers.video.sandbox import SandboxProvider


@pytest.fixture
def configured(settings: Settings) -> Settings:
    settings.SANDBOX_URL = "http://127.0.0.1:9"
    settings.SANDBOX_API_KEY = "key"
    settings.SANDBOX_WEBHOOK_SECRET = "whsec_c2VjcmV0,whsec_b2xk"
    return settings


@pytest.mark.usefixtures("configured")
def test_a_configured_provider_is_found_once() -> None:
    assert registry.configured("sandbox")
    assert isinstance(registry.provider("sandbox"), SandboxProvider)
    assert registry.provider("sandbox") is registry.provider("sandbox")


def test_other_settings_are_another_provider(configured: Settings) -> None:
    first = registry.provider("sandbox")
    configured.SANDBOX_API_KEY = "another"
    assert registry.provider("sandbox") is not first


@pytest.mark.parametrize("setting", SandboxProvider.settings)
def test_a_provider_with_an_empty_setting_is_unavailable(configured: Settings, setting: str) -> None:
    setattr(configured, setting, "")
    assert not registry.configured("sandbox")
    with pytest.raises(NotConfigured) as refusal:
        registry.provider("sandbox")
    assert refusal.value.setting == setting


def test_an_unknown_provider_is_a_lookup_error() -> None:
    for look in (registry.provider, registry.configured, registry.limits):
        with pytest.raises(UnknownProvider):
            look("nobody")


@pytest.mark.parametrize("name", sorted(VIDEO_PROVIDERS))
def test_every_name_of_the_table_loads_and_agrees(name: str) -> None:
    assert registry.ADAPTERS.kind(name).name == name


def test_limits_are_the_catalogues_facts_unless_settings_say_otherwise(settings: Settings) -> None:
    settings.PROVIDER_LIMITS = {}
    fact = registry.limits("sandbox")
    settings.PROVIDER_LIMITS = {"sandbox": {"concurrent": 3}}
    assert registry.limits("sandbox") == ProviderLimits(concurrent=3, per_minute=fact.per_minute)
