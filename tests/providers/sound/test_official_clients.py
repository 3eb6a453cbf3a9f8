"""The vendors' own clients against the simulators: they hold the simulators to what the vendors really speak.

And the same request through the official client and through our adapter: the same on the wire, the same file.
"""

import ssl
from base64 import b64decode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import elevenlabs as official_elevenlabs
import fal_client
import httpx
import pytest
from elevenlabs.core.api_error import ApiError
from fal_client.client import FalClientHTTPError

from providers.errors import ProviderError
from providers.sound.contract import MadeSound, SoundProvider
from tests.vendors import Audio, CutOff, ElevenLabs, Failure, Fal, HangUp, JobFailure, Raw, Request
from tests.vendors.elevenlabs import Voice
from tests.vendors.fal import FLAC

from .vendors import EFFECT, MUSIC, NOISE, SPEECH, VIDEO, WORDS, elevenlabs, mmaudio, noise

# The client would load the certificates anew, and needs none.
TLS = ssl.create_default_context()
ONCE: Any = {"max_retries": 0}
MP3: Any = "mp3_44100_128"


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """The official clients read the environment."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def client(vendor: ElevenLabs) -> Iterator[Any]:
    with httpx.Client(verify=TLS, timeout=20) as http:
        yield official_elevenlabs.ElevenLabs(api_key=vendor.key, base_url=vendor.url, httpx_client=http)


@pytest.fixture
def queue(fal: Fal, monkeypatch: pytest.MonkeyPatch) -> Iterator[fal_client.SyncClient]:
    monkeypatch.setattr(fal_client.client, "QUEUE_URL_FORMAT", f"{fal.root}/")
    monkeypatch.setattr(fal_client.client, "MAX_ATTEMPTS", 1)
    opened = fal_client.SyncClient(key=fal.key)
    yield opened
    opened._client.close()


# ElevenLabs


def test_the_official_client_reads_speech_and_its_letters(vendor: ElevenLabs, client: Any) -> None:
    answer = client.text_to_speech.with_raw_response.convert_with_timestamps(
        "v_nora", text="Hi 🙂.", model_id="eleven_v4", output_format=MP3, seed=7, request_options=ONCE
    )

    speech = answer.data
    assert speech.audio_base_64.startswith("//uQZ")
    assert speech.alignment.characters == ["H", "i", " ", "🙂", "."]
    assert len(speech.alignment.character_end_times_seconds) == 5
    assert answer.headers["character-cost"] == "5"
    assert answer.headers["request-id"]
    vendor.answers(Audio(times=False))
    silent = client.text_to_speech.convert_with_timestamps("v_nora", text="Hi", request_options=ONCE)
    assert silent.alignment is None


def test_the_official_client_reads_effects_and_music(vendor: ElevenLabs, client: Any) -> None:
    effect = b"".join(
        client.text_to_sound_effects.convert(
            text="wind", duration_seconds=2, loop=True, prompt_influence=0.5, request_options=ONCE
        )
    )
    music = b"".join(
        client.music.compose(
            prompt="calm", music_length_ms=3_000, force_instrumental=True, request_options=ONCE
        )
    )
    assert len(effect) >= 32_000
    assert len(music) >= 48_000
    assert [request.status for request in vendor.requests] == [200, 200]


def test_the_official_client_pages_through_voices(vendor: ElevenLabs, client: Any) -> None:
    vendor.account.voices = [Voice(f"v{number}", f"Voice {number}") for number in range(130)]
    first = client.voices.search(page_size=100, include_total_count=True, request_options=ONCE)
    assert (len(first.voices), first.has_more, first.total_count) == (100, True, 130)
    rest = client.voices.search(page_size=100, next_page_token=first.next_page_token, request_options=ONCE)
    assert (len(rest.voices), rest.has_more, rest.next_page_token) == (30, False, None)
    assert rest.voices[0].voice_id == "v100"
    assert rest.voices[0].category == "premade"


@pytest.mark.parametrize(
    ("call", "status"),
    [
        (lambda c: c.text_to_speech.convert_with_timestamps("nobody", text="Hi", request_options=ONCE), 404),
        (
            lambda c: c.text_to_speech.convert_with_timestamps(
                "v_nora", text="x" * 3_001, model_id="eleven_v3", request_options=ONCE
            ),
            400,
        ),
        (
            lambda c: c.text_to_speech.convert_with_timestamps(
                "v_nora", text="Hi", seed=-1, request_options=ONCE
            ),
            422,
        ),
        (
            lambda c: list(
                c.text_to_sound_effects.convert(text="x", duration_seconds=31, request_options=ONCE)
            ),
            422,
        ),
        (lambda c: list(c.music.compose(prompt="x", music_length_ms=2_999, request_options=ONCE)), 422),
        (lambda c: list(c.music.compose(prompt="x", seed=1, request_options=ONCE)), 422),
        (lambda c: list(c.music.compose(request_options=ONCE)), 422),
        (lambda c: c.voices.search(page_size=101, request_options=ONCE), 422),
    ],
)
def test_the_official_client_is_refused_what_the_vendor_does_not_take(
    client: Any, call: Callable[[Any], object], status: int
) -> None:
    with pytest.raises(ApiError) as caught:
        call(client)
    assert caught.value.status_code == status


@pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
def test_the_official_client_raises_its_own_error(vendor: ElevenLabs, client: Any, status: int) -> None:
    vendor.answers(Failure(status, retry_after=7))
    with pytest.raises(ApiError) as caught:
        client.text_to_speech.convert_with_timestamps("v_nora", text="Hi", request_options=ONCE)
    assert caught.value.status_code == status
    assert isinstance(caught.value.body, dict)
    assert caught.value.body["detail"]["message"] == "The simulator was told to fail."


def test_the_official_client_finds_no_answer_in_what_is_none(vendor: ElevenLabs, client: Any) -> None:
    for said in (CutOff(), HangUp(), Raw(b"garbage")):
        vendor.answers(said)
        with pytest.raises((ApiError, httpx.HTTPError)):
            client.text_to_speech.convert_with_timestamps("v_nora", text="Hi", request_options=ONCE)


# fal


def test_fals_client_submits_waits_and_reads(fal: Fal, queue: fal_client.SyncClient) -> None:
    fal.polls = 3
    handle = queue.submit("fal-ai/mmaudio-v2/text-to-audio", {"prompt": "wind", "duration": 2})
    assert isinstance(handle.status(), fal_client.Queued)
    assert isinstance(handle.status(with_logs=True), fal_client.InProgress)
    result = handle.get(interval=0.01)
    assert result["audio"]["url"].startswith(fal.root)
    assert isinstance(handle.status(), fal_client.Completed)


def test_fals_client_cancels(fal: Fal, queue: fal_client.SyncClient) -> None:
    fal.polls = 3
    handle = queue.submit("fal-ai/mmaudio-v2", {"prompt": "wind", "video_url": VIDEO.url})
    handle.cancel()
    assert fal.jobs[handle.request_id].cancelled
    handle.status()
    with pytest.raises(FalClientHTTPError) as caught:
        queue.submit("fal-ai/mmaudio-v1", {"prompt": "wind"})
    assert caught.value.status_code == 404


def test_fals_client_finds_a_job_by_its_id(fal: Fal, queue: fal_client.SyncClient) -> None:
    """The routes of a job have only the owner and the application in them, whatever was submitted to."""
    submitted = queue.submit("fal-ai/mmaudio-v2/text-to-audio", {"prompt": "wind"})
    handle = queue.get_handle("fal-ai/mmaudio-v2/text-to-audio", submitted.request_id)
    assert handle.get(interval=0.01)["audio"]


@pytest.mark.parametrize(
    ("arguments", "failure", "status", "kind"),
    [
        ({"prompt": "wind", "duration": 31}, None, 422, None),
        ({"prompt": "wind", "bogus": 1}, None, 422, None),
        ({}, None, 422, None),
        (
            {"prompt": "wind"},
            JobFailure(422, "content_policy_violation"),
            422,
            "content_policy_violation",
        ),
        ({"prompt": "wind"}, JobFailure(500), 500, "internal_server_error"),
    ],
)
def test_fals_client_learns_of_a_failure_from_the_result(
    fal: Fal,
    queue: fal_client.SyncClient,
    arguments: dict[str, Any],
    failure: JobFailure | None,
    status: int,
    kind: str | None,
) -> None:
    fal.outcomes += [failure] if failure else []
    handle = queue.submit("fal-ai/mmaudio-v2/text-to-audio", arguments)
    with pytest.raises(FalClientHTTPError) as caught:
        handle.get(interval=0.01)
    assert caught.value.status_code == status
    assert kind is None or caught.value.error_type == kind


def test_fals_client_is_refused_with_a_wrong_key(fal: Fal, queue: fal_client.SyncClient) -> None:
    fal.key = "another"
    with pytest.raises(FalClientHTTPError) as caught:
        queue.submit("fal-ai/mmaudio-v2", {"prompt": "wind"})
    assert caught.value.status_code == 401


# The same request through our adapter and through the official client


@dataclass(frozen=True)
class Pair:
    ours: Callable[[SoundProvider, Path], MadeSound]
    theirs: Callable[[Any], bytes]


def _speech(client: Any, **more: Any) -> bytes:
    answer = client.text_to_speech.convert_with_timestamps(
        "v_nora", text=WORDS, model_id=SPEECH.model, output_format=MP3, request_options=ONCE, **more
    )
    return b64decode(answer.audio_base_64)


PAIRS = {
    "speech": Pair(lambda a, to: a.speak(replace(SPEECH, voice="Nora"), to), _speech),
    "speech in a context": Pair(
        lambda a, to: a.speak(replace(SPEECH, voice="v_nora", before="Befóre.", after="After 🙂."), to),
        lambda c: _speech(c, previous_text="Befóre.", next_text="After 🙂."),
    ),
    "effect": Pair(
        lambda a, to: a.make_effect(EFFECT, to),
        lambda c: b"".join(
            c.text_to_sound_effects.convert(
                text=EFFECT.text,
                duration_seconds=2.5,
                model_id=EFFECT.model,
                output_format=MP3,
                request_options=ONCE,
            )
        ),
    ),
    "music": Pair(
        lambda a, to: a.make_music(MUSIC, to),
        lambda c: b"".join(
            c.music.compose(
                prompt=MUSIC.text,
                music_length_ms=4_000,
                model_id=MUSIC.model,
                force_instrumental=True,
                output_format=MP3,
                request_options=ONCE,
            )
        ),
    ),
}


def on_the_wire(request: Request) -> tuple[object, ...]:
    return request.method, request.path, request.query, request.json, request.status


@pytest.mark.parametrize("name", PAIRS)
def test_our_adapter_and_the_official_client_ask_and_get_the_same(
    vendor: ElevenLabs, client: Any, tmp_path: Path, name: str
) -> None:
    made = PAIRS[name].ours(elevenlabs(vendor), tmp_path / "ours")
    theirs = PAIRS[name].theirs(client)

    ours_sent, theirs_sent = (request for request in vendor.requests if request.method == "POST")
    assert on_the_wire(ours_sent) == on_the_wire(theirs_sent)
    assert ours_sent.status == 200
    assert ours_sent.headers["xi-api-key"] == theirs_sent.headers["xi-api-key"]
    assert ours_sent.headers["content-type"] == theirs_sent.headers["content-type"]
    assert made.path.read_bytes() == theirs


@pytest.mark.parametrize("said", [Failure(400), Failure(401), Failure(422), Failure(429), Failure(500)])
def test_what_the_official_client_fails_at_ours_fails_at(
    vendor: ElevenLabs, client: Any, tmp_path: Path, said: Failure
) -> None:
    vendor.answers(said)
    with pytest.raises(ProviderError):
        PAIRS["effect"].ours(elevenlabs(vendor), tmp_path / "ours")
    with pytest.raises(ApiError):
        PAIRS["effect"].theirs(client)
    assert on_the_wire(vendor.requests[0]) == on_the_wire(vendor.requests[1])


@pytest.mark.parametrize("video", [None, VIDEO])
def test_our_adapter_and_fals_client_ask_and_get_the_same(
    fal: Fal, queue: fal_client.SyncClient, tmp_path: Path, video: Any
) -> None:
    made = mmaudio(fal).make_effect(replace(NOISE, video=video), tmp_path / "ours")
    count = len(fal.requests)
    arguments: dict[str, Any] = {
        "prompt": NOISE.text,
        "negative_prompt": "music, speech",
        "duration": 2.5,
    }
    application = NOISE.model
    if video is None:
        application += "/text-to-audio"
    else:
        arguments["video_url"] = video.url
    result = queue.submit(application, arguments).get(interval=0.01)

    ours, theirs = fal.requests[:count], fal.requests[count:]
    assert on_the_wire(ours[0]) == on_the_wire(theirs[0])
    assert ours[0].headers["authorization"] == theirs[0].headers["authorization"]
    # The same routes, by the job's own id each; ours goes on to the file.
    first, second = fal.jobs
    assert [request.path for request in ours[:-1]] == [
        request.path.replace(second, first) for request in theirs
    ]
    kind = "audio" if video is None else "video"
    assert result[kind]["url"].replace(second, first).endswith(ours[-1].path)
    assert video is not None or made.path.read_bytes() == FLAC


def test_what_fals_client_fails_at_ours_fails_at(
    fal: Fal, queue: fal_client.SyncClient, tmp_path: Path
) -> None:
    for failure in (JobFailure(422), JobFailure(500)):
        fal.outcomes += [failure, failure]
        with pytest.raises(ProviderError):
            noise(mmaudio(fal), tmp_path)
        handle = queue.submit("fal-ai/mmaudio-v2/text-to-audio", {"prompt": "wind"})
        with pytest.raises(FalClientHTTPError):
            handle.get(interval=0.01)
