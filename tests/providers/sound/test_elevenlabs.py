"""The ElevenLabs adapter on its simulator: what it sends, what it leaves behind, whom it lets speak."""

import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import av
import pytest

from providers.catalogue.sound import SOUND_MODELS
from providers.errors import FailureCode, NotSent, OutcomeUnknown, RequestRefused, UnsupportedFeature
from providers.sound import voices
from providers.sound.contract import (
    EffectRequest,
    MadeSound,
    MusicRequest,
    SoundProvider,
    SpeechRequest,
)
from tests.vendors import Audio, ElevenLabs, Raw, Silence
from tests.vendors.elevenlabs import Voice
from tests.vendors.server import Response

from .vendors import EFFECT, ELEVENLABS_CALLS, MUSIC, SPEECH, VIDEO, WORDS, elevenlabs


def seconds_of(path: Path) -> float:
    with av.open(str(path)) as container:
        return sum(frame.samples / frame.sample_rate for frame in container.decode(audio=0))


def test_speech_is_a_file_with_its_words_and_cost(vendor: ElevenLabs, tmp_path: Path) -> None:
    made = elevenlabs(vendor).speak(SPEECH, tmp_path / "voice")

    assert made.path == tmp_path / "voice.mp3"
    assert made.media_type == "audio/mpeg"
    assert seconds_of(made.path) == pytest.approx(0.06 * len(WORDS), abs=0.15)
    assert [word.text for word in made.words] == WORDS.split()
    assert made.words[-1].end_seconds == pytest.approx(0.06 * len(WORDS))
    assert not made.words_estimated
    assert made.request_id == "req00000001"
    assert made.cost is not None
    assert made.cost.amount == Decimal("0.08") * len(WORDS) / 1000
    assert [path.name for path in tmp_path.iterdir()] == ["voice.mp3"]


def test_words_without_times_are_spread_and_said_to_be(vendor: ElevenLabs, tmp_path: Path) -> None:
    vendor.answers(Audio(times=False))

    made = elevenlabs(vendor).speak(SPEECH, tmp_path / "voice")

    assert made.words_estimated
    assert [word.text for word in made.words] == WORDS.split()
    assert made.words[-1].end_seconds == pytest.approx(seconds_of(made.path), abs=0.05)


def test_an_effect_and_music_are_as_long_as_asked(vendor: ElevenLabs, tmp_path: Path) -> None:
    adapter = elevenlabs(vendor)

    effect = adapter.make_effect(EFFECT, tmp_path / "effect")
    music = adapter.make_music(MUSIC, tmp_path / "music")

    assert seconds_of(effect.path) == pytest.approx(2.5, abs=0.1)
    assert seconds_of(music.path) == pytest.approx(4, abs=0.1)
    assert effect.cost is not None
    assert effect.cost.amount == Decimal("0.0002") * 100  # 40 credits a second
    assert music.cost is not None
    assert music.cost.amount == Decimal("0.0125") * 4
    assert vendor.requests[-1].json["force_instrumental"] is True


def test_what_is_shorter_than_the_vendor_makes_comes_at_its_shortest(
    vendor: ElevenLabs, tmp_path: Path
) -> None:
    adapter = elevenlabs(vendor)
    adapter.make_effect(replace(EFFECT, seconds=0.2), tmp_path / "effect")
    adapter.make_music(replace(MUSIC, seconds=1), tmp_path / "music")
    assert vendor.requests[0].json["duration_seconds"] == 0.5
    assert vendor.requests[1].json["music_length_ms"] == 3_000


def test_what_is_said_before_and_after_goes_along_only_if_there_is_any(
    vendor: ElevenLabs, tmp_path: Path
) -> None:
    adapter = elevenlabs(vendor)
    adapter.speak(replace(SPEECH, before="First.", after="Last."), tmp_path / "a")
    adapter.speak(SPEECH, tmp_path / "b")
    with_context, without = (request.json for request in vendor.requests if request.method == "POST")
    assert (with_context["previous_text"], with_context["next_text"]) == ("First.", "Last.")
    assert without.keys() == {"text", "model_id"}


@pytest.mark.parametrize(
    ("asked", "feature"),
    [
        (replace(SPEECH, model="eleven_text_to_sound_v2"), "speech with this model"),
        (replace(SPEECH, model="nothing"), "speech with this model"),
        (replace(SPEECH, text="x" * 10_001), "a text of more than 10000 characters"),
        (replace(SPEECH, text=" \n"), "speech without words"),
        (replace(EFFECT, seconds=30.1), "effects of more than 30 s"),
        (replace(EFFECT, seconds=float("nan")), "effects of more than 30 s"),
        (replace(EFFECT, text="x" * 451), "a text of more than 450 characters"),
        (replace(MUSIC, seconds=601), "music of more than 600 s"),
        (replace(MUSIC, model="eleven_v3"), "music with this model"),
    ],
)
def test_what_the_vendor_can_not_do_is_named_and_not_sent(
    vendor: ElevenLabs, tmp_path: Path, asked: SpeechRequest | EffectRequest | MusicRequest, feature: str
) -> None:
    with pytest.raises(UnsupportedFeature) as refusal:
        _made(elevenlabs(vendor), asked, tmp_path / "sound")
    assert refusal.value.feature == feature
    assert not vendor.requests


def _made(
    adapter: SoundProvider, asked: SpeechRequest | EffectRequest | MusicRequest, target: Path
) -> MadeSound:
    match asked:
        case SpeechRequest():
            return adapter.speak(asked, target)
        case EffectRequest():
            return adapter.make_effect(asked, target)
        case MusicRequest():
            return adapter.make_music(asked, target)


def test_an_effect_for_a_video_is_made_from_its_words(vendor: ElevenLabs, tmp_path: Path) -> None:
    elevenlabs(vendor).make_effect(replace(EFFECT, video=VIDEO), tmp_path / "effect")
    assert vendor.requests[0].json.keys() == {"text", "duration_seconds", "model_id"}


# Voices


@pytest.mark.parametrize("voice", ["Nora", "nora ", "v_nora"])
def test_a_voice_is_found_by_name_or_id(vendor: ElevenLabs, tmp_path: Path, voice: str) -> None:
    elevenlabs(vendor).speak(replace(SPEECH, voice=voice), tmp_path / "voice")
    assert vendor.requests[-1].path == "/v1/text-to-speech/v_nora/with-timestamps"


def test_nobody_named_is_the_voice_of_the_settings(vendor: ElevenLabs, tmp_path: Path) -> None:
    elevenlabs(vendor, voice="George").speak(SPEECH, tmp_path / "voice")
    assert "/JBFqnCBsd6RMkjVDRZzb/" in vendor.requests[-1].path


def test_a_voice_on_a_later_page_is_found_and_the_list_asked_for_once(
    vendor: ElevenLabs, tmp_path: Path
) -> None:
    vendor.account.voices = [Voice(f"v{number}", f"Voice {number}") for number in range(250)]
    adapter = elevenlabs(vendor)

    for _ in range(3):
        adapter.speak(replace(SPEECH, voice="Voice 249"), tmp_path / "voice")

    assert [request.path for request in vendor.requests] == [
        *["/v2/voices"] * 3,
        *["/v1/text-to-speech/v249/with-timestamps"] * 3,
    ]


def test_an_unknown_voice_is_refused_before_anything_is_spoken_and_asked_about_once_a_minute(
    vendor: ElevenLabs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    adapter = elevenlabs(vendor)
    for _ in range(3):
        with pytest.raises(RequestRefused) as refusal:
            adapter.speak(replace(SPEECH, voice="Nobody"), tmp_path / "voice")
        assert refusal.value.code is FailureCode.VOICE_UNKNOWN
    assert [request.path for request in vendor.requests] == ["/v2/voices"]

    vendor.account.voices.append(Voice("v_new", "Nobody"))
    monkeypatch.setattr(voices, "ASKED_AGAIN_SECONDS", 0.0)
    assert adapter.speak(replace(SPEECH, voice="Nobody"), tmp_path / "voice").words


def test_a_voice_that_was_taken_away_is_unknown_and_the_list_is_read_again(
    vendor: ElevenLabs, tmp_path: Path
) -> None:
    adapter = elevenlabs(vendor)
    adapter.speak(replace(SPEECH, voice="Nora"), tmp_path / "voice")
    vendor.account.voices.pop()

    for _ in range(2):
        with pytest.raises(RequestRefused) as refusal:
            adapter.speak(replace(SPEECH, voice="Nora"), tmp_path / "voice")
        assert refusal.value.code is FailureCode.VOICE_UNKNOWN
    assert [request.path for request in vendor.requests].count("/v2/voices") == 2
    assert vendor.requests[-1].path == "/v2/voices"


def test_a_list_of_voices_that_fails_means_that_nothing_was_sent(
    vendor: ElevenLabs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_: object) -> None:
        raise RuntimeError("told to fail")

    monkeypatch.setattr(vendor, "_voices", fails)
    with pytest.raises(NotSent):
        elevenlabs(vendor).speak(SPEECH, tmp_path / "voice")


def test_a_list_of_voices_that_does_not_come_holds_nobody_up(
    vendor: ElevenLabs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vendor, "_voices", lambda _: Response(fault=Silence()))
    monkeypatch.setattr(voices, "LIST_SECONDS", 0.4)
    adapter = elevenlabs(vendor)

    def ask(number: int) -> float:
        began = time.monotonic()
        with pytest.raises(NotSent):
            adapter.speak(SPEECH, tmp_path / str(number))
        return time.monotonic() - began

    with ThreadPoolExecutor(12) as threads:
        assert max(threads.map(ask, range(12))) < 2.5


# Answers


@pytest.mark.parametrize("kind", ELEVENLABS_CALLS)
def test_a_large_answer_goes_to_its_file_in_flat_memory(
    vendor: ElevenLabs, tmp_path: Path, kind: str
) -> None:
    size = 40 << 20
    vendor.answers(Audio(size=size))
    adapter = elevenlabs(vendor)
    tracemalloc.start()
    made = ELEVENLABS_CALLS[kind](adapter, tmp_path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert made.path.stat().st_size >= size
    assert peak < 12 << 20
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("kind", ELEVENLABS_CALLS)
def test_an_answer_over_the_limit_is_unknown_and_leaves_nothing(
    vendor: ElevenLabs, tmp_path: Path, kind: str
) -> None:
    vendor.answers(Audio(size=110 << 20))
    with pytest.raises(OutcomeUnknown):
        ELEVENLABS_CALLS[kind](elevenlabs(vendor), tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b"<html>Sorry</html>",
        b'{"audio_base64": ""}',
        b'{"audio_base64": "SUQz"',
        b'{"audio_base64": "SUQ"}',
        b'{"audio_base64": "S\\u0055Qz"}',
        b'{"audio_base64": 5}',
        b'{"wrapped": {"audio_base64": "SUQzBAAA"}}',
        b'{"audio_base64": "PGh0bWw+"}',
        b'{"a": "\\"audio_base64\\": \\"SUQzBAAA\\""}',
    ],
)
def test_speech_that_can_not_be_read_is_of_unknown_outcome(
    vendor: ElevenLabs, tmp_path: Path, body: bytes
) -> None:
    vendor.answers(Raw(body))
    with pytest.raises(OutcomeUnknown):
        elevenlabs(vendor).speak(SPEECH, tmp_path / "voice")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("body", [b"", b"<html>Sorry</html>", b'{"detail": "no"}'])
def test_a_good_status_without_a_sound_is_of_unknown_outcome(
    vendor: ElevenLabs, tmp_path: Path, body: bytes
) -> None:
    vendor.answers(Raw(body, media_type="audio/mpeg"))
    with pytest.raises(OutcomeUnknown):
        elevenlabs(vendor).make_effect(EFFECT, tmp_path / "effect")
    assert not list(tmp_path.iterdir())


def test_a_cost_that_is_no_number_is_reckoned_by_the_price() -> None:
    model = SOUND_MODELS["elevenlabs/eleven_flash_v2_5"]
    assert model.cost(characters=1000) == model.cost(vendor_credits=Decimal(500)) == Decimal("0.04")
