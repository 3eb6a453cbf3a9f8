"""Speech written down by Groq."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from providers.catalogue.language import TRANSCRIPTION_MODELS
from providers.errors import UnsupportedFeature
from providers.language.contract import Phrase
from providers.language.errors import (
    BadAnswer,
    CredentialsRefused,
    LanguageError,
    ModelGone,
    RateLimited,
    RequestRefused,
    Unavailable,
)
from tests.vendors import CutOff, Failure, Gemini, Groq, HangUp, Raw, Silence, Speech, Xai, huge

from .vendors import GEMINI, GROQ, XAI

WHISPER = TRANSCRIPTION_MODELS["groq/whisper-large-v3"]


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    path = tmp_path / "sound.wav"
    path.write_bytes(b"RIFF")
    return path


def test_a_sound_is_written_down(groq: Groq, sound: Path) -> None:
    groq.answers(
        Speech(
            phrases=[(0, 2.1, "Добро пожаловать."), (2.5, 60, "Осторожно.")], seconds=3600, language="russian"
        )
    )

    heard = GROQ.adapter(groq).transcribe(WHISPER, sound)

    assert heard.text == "Добро пожаловать. Осторожно."
    assert heard.language == "russian"
    assert heard.phrases == (
        Phrase(start_seconds=0, end_seconds=2.1, text="Добро пожаловать."),
        Phrase(start_seconds=2.5, end_seconds=60, text="Осторожно."),
    )
    assert heard.seconds == 3600
    assert heard.cost == Decimal("0.111")
    assert heard.request_id


def test_a_short_sound_costs_as_much_as_ten_seconds(groq: Groq, sound: Path) -> None:
    groq.answers(Speech(phrases=[], seconds=0.5))

    heard = GROQ.adapter(groq).transcribe(WHISPER, sound)

    assert heard.phrases == ()
    assert heard.text == ""
    assert heard.cost == WHISPER.cost(10) == Decimal("0.111") / 360


FAULTS: dict[str, tuple[Any, type[LanguageError]]] = {
    "garbage": (Raw(b"garbage"), BadAnswer),
    "a list": (Raw(b"[]"), BadAnswer),
    "a text": (Raw(b"Welcome.", media_type="text/plain"), BadAnswer),
    "no segments": (Raw(b'{"text": "a", "duration": 1}'), BadAnswer),
    "a segment of another kind": (Raw(b'{"text": "a", "duration": 1, "segments": [3]}'), BadAnswer),
    "half": (CutOff(), BadAnswer),
    "20 MB": (None, BadAnswer),
    "closed": (HangUp(), Unavailable),
    "silence": (Silence(), Unavailable),
    "500": (Failure(500), Unavailable),
    "400": (Failure(400), RequestRefused),
    "404": (Failure(404, "model_not_found"), ModelGone),
    "401": (Failure(401, "invalid_api_key"), CredentialsRefused),
    "429": (Failure(429, retry_after=3), RateLimited),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_ends_in_its_error(groq: Groq, sound: Path, fault: str) -> None:
    said, error = FAULTS[fault]
    groq.answers(huge() if said is None else said)

    with pytest.raises(LanguageError) as caught:
        GROQ.adapter(groq, seconds=1.5).transcribe(WHISPER, sound)
    assert type(caught.value) is error


def test_a_sound_that_is_too_long_is_refused(groq: Groq, sound: Path) -> None:
    sound.write_bytes(b"\0" * 27_000_000)

    with pytest.raises(RequestRefused) as caught:
        GROQ.adapter(groq).transcribe(WHISPER, sound)
    assert caught.value.code == "request_too_large"


def test_others_do_not_listen(xai: Xai, gemini: Gemini, sound: Path) -> None:
    with pytest.raises(UnsupportedFeature):
        XAI.adapter(xai).transcribe(WHISPER, sound)
    with pytest.raises(UnsupportedFeature):
        GEMINI.adapter(gemini).transcribe(WHISPER, sound)
