"""The sandbox's sounds: real, as long as asked, their words where it says, the same for the same order."""

import os
import time
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pytest

from providers.catalogue.sound import SOUND_MODELS
from providers.errors import (
    CredentialsRefused,
    FailureCode,
    OutcomeUnknown,
    ProviderError,
    RateLimited,
    RequestRefused,
    UnsupportedFeature,
)
from providers.http import Answer
from providers.sandbox.faults import SoundFault
from providers.sandbox.voice import WORDS_PER_SECOND, speak
from providers.sound.contract import EffectRequest, MadeSound, MusicRequest, SpeechRequest
from tests.providers.sandbox import RunningSandbox, a_token

from .vendors import WORDS, sandbox

SPEECH = SpeechRequest(model="voice", text=WORDS)
EFFECT = EffectRequest(model="effects", text="wind over the sea", seconds=1.5)
MUSIC = MusicRequest(model="music", text="calm piano", seconds=6)
EFFECTS = (
    "wind",
    "waves",
    "rain",
    "a door thump",
    "a bell",
    "whoosh",
    "an engine",
    "birds",
    "a fire",
    "xyzzy",
)
# Of the whole scale: louder than this somebody is heard, softer than that nobody is.
HEARD, SILENT = 0.02, 0.001


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sounds")


@pytest.fixture(scope="module")
def spoken(folder: Path) -> MadeSound:
    return sandbox().speak(SPEECH, folder / "spoken")


def samples(path: Path) -> tuple[npt.NDArray[np.float64], int]:
    """Channels as rows, between -1 and 1, and their rate."""
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray() for frame in container.decode(audio=0)]
        stream = container.streams.audio[0]
        flat = np.concatenate(frames, axis=1).astype(np.float64) / 32_768
        return flat.reshape(-1, stream.channels).T, stream.rate


def loudness(sound: npt.NDArray[np.float64]) -> float:
    return float(np.sqrt(np.mean(sound**2)))


def test_a_voice_is_a_real_sound_as_long_as_a_narrator_takes(spoken: MadeSound) -> None:
    sound, rate = samples(spoken.path)

    assert (spoken.path.suffix, spoken.media_type) == (".flac", "audio/flac")
    assert sound.shape[1] / rate == pytest.approx(len(WORDS.split()) / WORDS_PER_SECOND, abs=0.01)
    assert 0.05 < loudness(sound) < 0.4
    assert np.max(np.abs(sound)) < 0.99


def test_words_are_heard_when_they_are_said_to_be(spoken: MadeSound) -> None:
    sound, rate = samples(spoken.path)

    assert [word.text for word in spoken.words] == WORDS.split()
    for word in spoken.words:
        first, last = round(word.start_seconds * rate), round(word.end_seconds * rate)
        assert loudness(sound[:, first:last]) > HEARD, word
        # From its very beginning to its very end.
        edge = min((last - first) // 4, round(0.06 * rate))
        assert loudness(sound[:, first : first + edge]) > HEARD / 2, word
        assert loudness(sound[:, last - edge : last]) > HEARD / 2, word
    for before, after in pairwise(spoken.words):
        first, last = round(before.end_seconds * rate) + 24, round(after.start_seconds * rate) - 24
        assert last - first > 0.02 * rate
        assert loudness(sound[:, first:last]) < SILENT, (before, after)


@pytest.mark.parametrize(
    "text",
    [
        "Hi",
        "Donaudampfschifffahrtsgesellschaftskapitän internationalization",
        "1 2 3, 4! — … 🙂 ok",
        "水の都へようこそ。",
        "Добро пожаловать в гавань",
        "a " * 200,
        "🙂",
        "bcdfg",
    ],
)
def test_any_text_is_spoken_in_its_natural_time_and_order(text: str) -> None:
    sound, words = speak(text)

    assert [word.text for word in words] == text.split()
    at = 0.0
    for word in words:
        assert at <= word.start <= word.end
        at = word.end
    assert at <= len(sound) / 24_000 + 0.001
    wide = sum(ord(letter) > 0x3000 and letter.isalpha() for letter in text if ord(letter) < 0x10000)
    assert len(sound) / 24_000 <= max(len(text.split()), wide / 2) / 2.8
    if any(map(str.isalnum, text)):
        assert loudness(sound) > HEARD


def test_voices_differ_and_a_voice_is_always_the_same(folder: Path, spoken: MadeSound) -> None:
    again = sandbox().speak(SPEECH, folder / "again")
    other = sandbox().speak(replace(SPEECH, voice="deep male narrator"), folder / "other")

    assert again.path.read_bytes() == spoken.path.read_bytes()
    assert again.words == spoken.words == other.words
    assert other.path.read_bytes() != spoken.path.read_bytes()


@pytest.mark.parametrize("text", EFFECTS)
def test_an_effect_is_as_long_as_asked_and_heard(folder: Path, text: str) -> None:
    made = sandbox().make_effect(replace(EFFECT, text=text), folder / text)
    sound, rate = samples(made.path)
    assert sound.shape == (1, round(1.5 * rate))
    assert loudness(sound) > HEARD
    assert np.max(np.abs(sound)) < 0.99
    assert (abs(sound[0, 0]), abs(sound[0, -1])) < (0.01, 0.01)


def test_words_choose_the_effect(folder: Path) -> None:
    """Of a thump most is deep, of rain most is high."""

    def middle(text: str) -> float:
        sound, rate = samples(sandbox().make_effect(replace(EFFECT, text=text), folder / "choice").path)
        power = np.abs(np.fft.rfft(sound[0])) ** 2
        return float(np.sum(power * np.fft.rfftfreq(sound.shape[1], 1 / rate)) / np.sum(power))

    assert middle("a heavy thump") < 400 < 1_500 < middle("rain on a roof")


def test_music_has_two_channels_ends_softly_and_is_the_same_for_the_same_words(folder: Path) -> None:
    made = sandbox().make_music(MUSIC, folder / "music")
    again = sandbox().make_music(MUSIC, folder / "again")
    other = sandbox().make_music(replace(MUSIC, text="dark and tense"), folder / "other")
    sound, rate = samples(made.path)

    assert sound.shape == (2, 6 * rate)
    assert 0.05 < loudness(sound) < 0.4
    assert loudness(sound[:, -rate // 20 :]) < 0.02
    assert not np.array_equal(sound[0], sound[1])
    assert made.path.read_bytes() == again.path.read_bytes() != other.path.read_bytes()


def test_a_minute_of_music_is_made_in_a_moment(folder: Path) -> None:
    began = time.monotonic()
    made = sandbox().make_music(replace(MUSIC, seconds=60), folder / "minute")
    assert time.monotonic() - began < 10
    sound, rate = samples(made.path)
    assert sound.shape[1] == 60 * rate


def test_what_is_too_long_is_named(folder: Path) -> None:
    with pytest.raises(UnsupportedFeature):
        sandbox().make_effect(replace(EFFECT, seconds=61), folder / "long")
    with pytest.raises(UnsupportedFeature):
        sandbox().speak(replace(SPEECH, text="x" * 5_001), folder / "long")


def test_the_catalogue_believes_what_the_service_does() -> None:
    """Two lists, as with any vendor."""
    mine = {model.vendor_model: model for model in SOUND_MODELS.values() if model.provider == "sandbox"}
    assert mine.keys() == {"voice", "effects", "music"}
    assert (mine["effects"].min_seconds, mine["effects"].max_seconds) == (0.5, 60)
    assert (mine["music"].min_seconds, mine["music"].max_seconds) == (0.5, 600)
    for model in mine.values():
        assert model.max_characters == 5_000


# Faults


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (SoundFault.MODERATED, RequestRefused),
        (SoundFault.RATE_LIMITED, RateLimited),
        (SoundFault.SERVER_ERROR, OutcomeUnknown),
        (SoundFault.MALFORMED_JSON, OutcomeUnknown),
        (SoundFault.TIMEOUT_AFTER_ACCEPTING, OutcomeUnknown),
    ],
)
def test_the_service_misbehaves_as_it_is_told(
    fault: SoundFault, error: type[ProviderError], tmp_path: Path
) -> None:
    asked = replace(EFFECT, text=f"wind {a_token()}")
    with pytest.raises(error) as caught:
        sandbox(fault=fault, patience=1).make_effect(asked, tmp_path / "effect")
    if isinstance(caught.value, RequestRefused):
        assert caught.value.code is FailureCode.MODERATED
    if isinstance(caught.value, RateLimited):
        assert caught.value.retry_after == timedelta(seconds=2)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("fault", [SoundFault.RATE_LIMITED, SoundFault.SERVER_ERROR])
def test_what_was_refused_once_is_made_when_it_comes_again(
    fault: SoundFault, tmp_path: Path, service: RunningSandbox
) -> None:
    asked = replace(EFFECT, text=f"wind {a_token()}")
    with pytest.raises(ProviderError):
        sandbox(fault=fault).make_effect(asked, tmp_path / "effect")
    assert accepted(service, asked.text) == []
    assert sandbox(fault=fault).make_effect(asked, tmp_path / "effect").path.exists()
    assert [one["kind"] for one in accepted(service, asked.text)] == ["effects"]


def test_an_answer_that_does_not_come_was_accepted_all_the_same(
    tmp_path: Path, service: RunningSandbox
) -> None:
    asked = replace(EFFECT, text=f"wind {a_token()}")
    with pytest.raises(OutcomeUnknown):
        sandbox(fault=SoundFault.TIMEOUT_AFTER_ACCEPTING, patience=0.5).make_effect(
            asked, tmp_path / "effect"
        )
    assert len(accepted(service, asked.text)) == 1


def test_an_order_takes_as_long_as_it_is_told(tmp_path: Path) -> None:
    began = time.monotonic()
    sandbox(seconds=0.7).make_effect(EFFECT, tmp_path / "effect")
    assert 0.7 <= time.monotonic() - began < 5


def test_a_wrong_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CredentialsRefused):
        sandbox(key="wrong").make_effect(EFFECT, tmp_path / "effect")


@pytest.mark.parametrize(
    ("route", "body", "field"),
    [
        ("speech", {}, "text"),
        ("speech", {"text": " "}, "text"),
        ("speech", {"text": "x", "seconds": 3}, "seconds"),
        ("speech", {"text": "x", "voice": 3}, "voice"),
        ("effects", {"text": "x"}, "seconds"),
        ("effects", {"text": "x", "seconds": 0.1}, "seconds"),
        ("effects", {"text": "x", "seconds": True}, "seconds"),
        ("music", {"text": "x", "seconds": 601}, "seconds"),
        ("music", {"text": "x", "seconds": 3, "bogus": 1}, "bogus"),
        ("music", {"text": "x", "seconds": 3, "sandbox": {"fault": "stuck"}}, "sandbox.fault"),
        ("music", {"text": "x", "seconds": 3, "sandbox": 1}, "sandbox"),
        ("music", [], "body"),
    ],
)
def test_a_bad_order_names_its_field(service: RunningSandbox, route: str, body: Any, field: str) -> None:
    answer = service.call("POST", f"/v1/{route}", body)
    assert answer.status == 422
    assert answer.json()["error"]["field"] == field


@pytest.fixture
def service() -> RunningSandbox:
    """The stack's, spoken to directly."""
    return RunningSandbox(os.environ["SANDBOX_URL"], os.environ["SANDBOX_API_KEY"])


def accepted(service: RunningSandbox, text: str) -> list[dict[str, Any]]:
    answer: Answer = service.call("GET", f"/v1/_audit/sounds?text={text.replace(' ', '+')}")
    found: list[dict[str, Any]] = answer.json()["results"]
    return found
