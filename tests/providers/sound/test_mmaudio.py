"""The MMAudio adapter on fal's queue: submitted once, asked about, fetched, or given up."""

import time
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from providers.errors import (
    CredentialsRefused,
    FailureCode,
    JobNotFound,
    OutcomeUnknown,
    ProviderError,
    RateLimited,
    ReadFailed,
    RenderFailed,
    RequestRefused,
    UnsupportedFeature,
)
from providers.sound.contract import MadeSound
from tests.vendors import Audio, Failure, Fal, HangUp, JobFailure, Raw, Silence
from tests.vendors.fal import FLAC, MP4

from .vendors import MUSIC, NOISE, SPEECH, VIDEO, mmaudio, noise, posts


def test_words_alone_are_made_into_a_sound(fal: Fal, tmp_path: Path) -> None:
    made = noise(mmaudio(fal), tmp_path)

    assert (made.path, made.media_type) == (tmp_path / "noise.flac", "audio/flac")
    assert made.path.read_bytes() == FLAC
    assert made.cost is not None
    assert made.cost.amount == Decimal("0.0025")
    assert made.request_id in fal.jobs
    assert fal.jobs[made.request_id].body == {
        "prompt": NOISE.text,
        "negative_prompt": "music, speech",
        "duration": 2.5,
    }
    assert posts(fal) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["noise.flac"]


def test_a_clip_comes_back_as_a_video_with_its_sound(fal: Fal, tmp_path: Path) -> None:
    made = mmaudio(fal).make_effect(replace(NOISE, video=VIDEO), tmp_path / "noise")

    assert (made.path, made.media_type) == (tmp_path / "noise.mp4", "video/mp4")
    assert made.path.read_bytes() == MP4
    assert fal.jobs[made.request_id].body["video_url"] == VIDEO.url
    assert fal.requests[0].path == "/fal-ai/mmaudio-v2"


def test_it_waits_no_longer_than_the_job_takes(fal: Fal, tmp_path: Path) -> None:
    fal.polls = 4
    began = time.monotonic()
    noise(mmaudio(fal), tmp_path)
    assert time.monotonic() - began < 2
    assert sum(request.path.endswith("/status") for request in fal.requests) == 5


def test_what_it_can_not_do_is_named_and_not_sent(fal: Fal, tmp_path: Path) -> None:
    adapter = mmaudio(fal)
    picture = replace(VIDEO, media_type="image/png")
    calls: dict[str, Callable[[], MadeSound]] = {
        "speech": lambda: adapter.speak(SPEECH, tmp_path / "x"),
        "music": lambda: adapter.make_music(MUSIC, tmp_path / "x"),
        "effects of more than 30 s": lambda: adapter.make_effect(replace(NOISE, seconds=31), tmp_path / "x"),
        "effects with this model": lambda: adapter.make_effect(replace(NOISE, model="x"), tmp_path / "x"),
        "image/png as a picture": lambda: adapter.make_effect(replace(NOISE, video=picture), tmp_path / "x"),
    }
    for feature, call in calls.items():
        with pytest.raises(UnsupportedFeature) as refusal:
            call()
        assert refusal.value.feature == feature
    assert not fal.requests


@pytest.mark.parametrize(
    ("said", "error"),
    [
        (Failure(401), CredentialsRefused),
        (Failure(403), CredentialsRefused),
        (Failure(404), RequestRefused),
        (Failure(422), RequestRefused),
        (Failure(429, retry_after=7), RateLimited),
        (Failure(500), OutcomeUnknown),
        (Failure(502), OutcomeUnknown),
        (Failure(503), OutcomeUnknown),
        (HangUp(), OutcomeUnknown),
        (Raw(b"{}"), OutcomeUnknown),
        (Raw(b'{"request_id": "../../x"}'), OutcomeUnknown),
        (Raw(b"<html>"), OutcomeUnknown),
    ],
)
def test_a_submission_that_fails_is_drawn_as_everywhere_and_not_repeated(
    fal: Fal, tmp_path: Path, said: Failure | HangUp | Raw, error: type[ProviderError]
) -> None:
    fal.answers(said)
    with pytest.raises(error) as caught:
        noise(mmaudio(fal), tmp_path)
    assert posts(fal) == 1 == len(fal.requests)
    if isinstance(caught.value, RateLimited):
        assert caught.value.retry_after is not None
        assert caught.value.retry_after.total_seconds() == 7


@pytest.mark.parametrize(
    ("failure", "code", "retryable"),
    [
        (JobFailure(422, "content_policy_violation"), FailureCode.MODERATED, False),
        (JobFailure(422, "value_error", field="video_url"), FailureCode.INPUT_UNREADABLE, False),
        (JobFailure(422, "value_error"), FailureCode.INVALID, False),
        (JobFailure(500, "internal_server_error"), FailureCode.VENDOR_FAULT, True),
    ],
)
def test_a_job_that_ends_without_a_sound_says_why(
    fal: Fal, tmp_path: Path, failure: JobFailure, code: FailureCode, retryable: bool
) -> None:
    fal.outcomes.append(failure)
    with pytest.raises(RenderFailed) as caught:
        noise(mmaudio(fal), tmp_path)
    assert (caught.value.code, caught.value.retryable) == (code, retryable)
    assert posts(fal) == 1


def test_what_passes_while_a_job_runs_is_waited_out(fal: Fal, tmp_path: Path) -> None:
    fal.interrupted.statuses += [
        Failure(500),
        Failure(429),
        HangUp(),
        Raw(b"garbage"),
        Raw(b'{"status": "NEW"}'),
    ]
    fal.interrupted.results += [Failure(503)]
    assert noise(mmaudio(fal), tmp_path).media_type == "audio/flac"
    assert posts(fal) == 1


@pytest.mark.parametrize(
    ("status", "error"), [(401, ReadFailed), (403, ReadFailed), (404, JobNotFound), (410, JobNotFound)]
)
def test_a_job_that_can_not_be_asked_about_any_more_was_accepted_all_the_same(
    fal: Fal, tmp_path: Path, status: int, error: type[ProviderError]
) -> None:
    fal.interrupted.statuses.append(Failure(status))
    with pytest.raises(error) as caught:
        noise(mmaudio(fal), tmp_path)
    assert caught.value.accepted == "yes"


def test_a_job_that_takes_too_long_is_cancelled(fal: Fal, tmp_path: Path) -> None:
    fal.polls = 10**6
    began = time.monotonic()
    with pytest.raises(RenderFailed) as caught:
        noise(mmaudio(fal, job_seconds=0.5), tmp_path)
    assert time.monotonic() - began < 1.5
    assert (caught.value.code, caught.value.retryable) == (FailureCode.VENDOR_FAULT, True)
    assert [job.cancelled for job in fal.jobs.values()] == [True]


def test_a_submission_without_an_answer_is_unknown_in_time(fal: Fal, tmp_path: Path) -> None:
    fal.answers(Silence())
    began = time.monotonic()
    with pytest.raises(OutcomeUnknown):
        noise(mmaudio(fal, seconds=0.5), tmp_path)
    assert time.monotonic() - began < 1.5
    assert posts(fal) == 1


@pytest.mark.parametrize(
    ("result", "code"),
    [(Raw(b"{}"), FailureCode.NO_MEDIA), (Raw(b'{"audio": null}'), FailureCode.NO_MEDIA)],
)
def test_done_without_a_sound_is_a_failure(fal: Fal, tmp_path: Path, result: Raw, code: FailureCode) -> None:
    fal.interrupted.results.append(result)
    with pytest.raises(RenderFailed) as caught:
        noise(mmaudio(fal), tmp_path)
    assert caught.value.code is code


def test_a_file_that_is_no_sound_is_a_failure(fal: Fal, tmp_path: Path) -> None:
    fal.file = b"<html>Not here</html>"
    with pytest.raises(RenderFailed) as caught:
        noise(mmaudio(fal), tmp_path)
    assert caught.value.code is FailureCode.NO_MEDIA
    assert not list(tmp_path.iterdir())


def test_a_file_that_can_not_be_fetched_is_a_failed_read(fal: Fal, tmp_path: Path) -> None:
    fal.interrupted.files.append(Failure(404))
    with pytest.raises(ReadFailed):
        noise(mmaudio(fal), tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_link_into_our_own_network_is_not_followed(fal: Fal, tmp_path: Path) -> None:
    with Fal() as elsewhere:
        fal.link = f"{elsewhere.root}/files/x/out.flac"
        with pytest.raises(ReadFailed):
            noise(mmaudio(fal), tmp_path)
        assert not elsewhere.requests


def test_the_key_goes_to_the_queue_alone(fal: Fal, tmp_path: Path) -> None:
    noise(mmaudio(fal), tmp_path)
    for request in fal.requests:
        assert ("authorization" in request.headers) is not request.path.startswith("/files/")


def test_addresses_of_another_host_get_no_key(fal: Fal, tmp_path: Path) -> None:
    """The vendor names where its job is; a name elsewhere is not believed."""
    with Fal(key=fal.key) as elsewhere:
        body = f'{{"request_id": "abc", "response_url": "{elsewhere.root}/fal-ai/mmaudio-v2/requests/abc"}}'
        fal.answers(Raw(body.encode()), Audio())
        with pytest.raises(JobNotFound):
            noise(mmaudio(fal), tmp_path)
        assert fal.requests[-1].path == "/fal-ai/mmaudio-v2/requests/abc/status"
        assert not elsewhere.requests
