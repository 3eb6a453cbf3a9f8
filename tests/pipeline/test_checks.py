"""Settings that name language models: what is wrong is said at the start, by name."""

import pytest
from pytest_django import Settings

from pipeline.checks import language_models_are_known

CASES = (
    ("LANGUAGE_MODELS", ["groq/no-such"], "pipeline.E001"),
    ("LANGUAGE_MODELS", ["groq/llama-3.3-70b-versatile"], "pipeline.W001"),
    ("VISION_MODELS", ["groq/openai/gpt-oss-120b"], "pipeline.E002"),
    ("TRANSCRIPTION_MODEL", "groq/no-such", "pipeline.E003"),
)


def test_the_defaults_are_known() -> None:
    assert language_models_are_known(None) == []


@pytest.mark.parametrize(("setting", "value", "id"), CASES, ids=[case[2] for case in CASES])
def test_a_model_that_can_not_be_asked_is_named(
    setting: str, value: object, id: str, settings: Settings
) -> None:
    setattr(settings, setting, value)
    (found,) = language_models_are_known(None)
    assert found.id == id
    assert setting in str(found.msg)
