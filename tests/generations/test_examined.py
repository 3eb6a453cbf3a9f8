"""A clip that is examined: paid for only if its video passes; one that doesn't is its provider's failure."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from django.conf import settings as django_settings
from django.db import transaction
from django.test import Client
from PIL import Image

from accounts.models import User
from config.stack.child import die_with_parent
from credits import verification
from generations import delivery, expiry, inventory, late_results, operations
from generations.delivery import Expected, Verdict
from generations.kinds import LATE_RESULT
from generations.models import Asset, Attempt, AttemptState, Generation
from generations.stages import deliver
from pipeline.offers import _records
from tests.generations.storage.files import Stored
from tests.providers.sandbox import RunningSandbox
from tests.scratch import database_url
from workers import clock
from workers.engine import LEASE_SECONDS
from workers.models import Job

from .conftest import CREDITS, Worker, a_result, followed, post
from .held import FIRST, SECOND, alternative, held_clip, tries
from .test_life_of_a_clip import accepted, balance, entries_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PROJECT = Path(__file__).resolve().parents[2]


class Examiner:
    """Refuses the videos that a test says, with a picture; notes what it was given."""

    def __init__(self) -> None:
        self.given: list[Expected] = []
        self.refuses: Callable[[int], bool] = lambda number: False

    def __call__(self, video: Path, expected: Expected, folder: Path) -> Verdict:
        self.given.append(expected)
        assert video.read_bytes()[4:8] == b"ftyp"
        if not self.refuses(len(self.given)):
            return Verdict(ok=True)
        picture = folder / "worst.jpg"
        Image.new("RGB", (16, 9)).save(picture)
        return Verdict(
            ok=False,
            code="black",
            reason="It is black from 0.0 s to 2.0 s.",
            figures={"black_seconds": 2.0},
            picture=picture,
        )


@pytest.fixture
def examiner(monkeypatch: pytest.MonkeyPatch) -> Examiner:
    one = Examiner()
    monkeypatch.setattr(delivery, "_EXAMINERS", [one])
    return one


@pytest.fixture
def stored(bucket: "S3Client") -> Stored:
    return Stored(bucket, django_settings.S3_BUCKET)


def test_a_video_that_passes_is_delivered_and_paid_for(
    owner: User, api: Client, workers: Worker, examiner: Examiner
) -> None:
    clip = held_clip(owner, examined=True)
    ended = followed(api, workers, str(clip))
    assert (ended["status"], ended["credits"]["used"]) == ("completed", ended["credits"]["quoted"])
    assert entries_of(str(clip)) == ["hold", "capture"]
    assert examiner.given == [Expected(duration_seconds=2, resolution="720p", ratio="16:9", audio=False)]
    assert Job.objects.get().stage == "deliver_examined"


def test_a_video_that_does_not_pass_is_its_models_failure_and_the_next_one_delivers_for_one_charge(
    owner: User, api: Client, workers: Worker, examiner: Examiner, stored: Stored, sandbox: RunningSandbox
) -> None:
    examiner.refuses = lambda number: number <= 2
    clip = held_clip(owner, alternative(credits=7), examined=True)

    ended = followed(api, workers, str(clip))

    assert (ended["status"], ended["model"], ended["credits"]["used"]) == ("completed", SECOND, 7)
    assert tries(clip) == [(FIRST, "failed", "quality")] * 2 + [(SECOND, "succeeded", "")]
    assert accepted(sandbox, str(clip)) == [1, 1, 1]
    assert entries_of(str(clip)) == ["hold", "capture"]
    assert balance(api) == (CREDITS - 7, 0)
    assert verification.verify(owner.pk).agrees
    # Two failures of the first model in the record that plans choose by.
    assert {name: one.success_rate for name, one in _records([FIRST, SECOND]).items()} == {
        FIRST: 0.0,
        SECOND: 1.0,
    }
    refused = Attempt.objects.filter(state=AttemptState.FAILED).order_by("number")
    for attempt in refused:
        assert attempt.failure_message == "It is black from 0.0 s to 2.0 s."
        assert attempt.failure_retryable
        assert attempt.figures == {"problem": "black", "black_seconds": 2.0}
        assert attempt.cost_amount is not None
        picture = attempt.picture
        assert picture is not None
        assert (picture.owner_id, picture.state, picture.origin) == (owner.pk, "ready", "examination")
        assert picture.bytes == len(
            stored.client.get_object(Bucket=stored.bucket, Key=picture.key)["Body"].read()
        )
    # The pictures are kept as long as videos, by the inventory too.
    try:
        clock.advance(timedelta(days=6))
        assert expiry.expire_due() == inventory.compare() == 0
        clock.advance(timedelta(days=1, hours=1))
        assert expiry.expire_due() == 3
    finally:
        clock.reset()
    assert stored.keys() == set()


def test_a_clip_that_no_model_makes_well_costs_nothing_and_says_why(
    owner: User, api: Client, workers: Worker, examiner: Examiner
) -> None:
    examiner.refuses = lambda number: True
    clip = held_clip(owner, alternative(), examined=True)
    ended = followed(api, workers, str(clip))
    assert (ended["status"], ended["error"]["code"]) == ("failed", "quality")
    assert ended["error"]["message"] == "It is black from 0.0 s to 2.0 s."
    assert ended["error"]["retryable"]
    assert tries(clip) == [(FIRST, "failed", "quality")] * 2 + [(SECOND, "failed", "quality")] * 2
    assert entries_of(str(clip)) == ["hold", "release"]
    assert balance(api) == (CREDITS, 0)
    assert late_results.look_again() == 0


def test_a_file_that_is_no_video_is_its_models_failure_too(
    owner: User,
    api: Client,
    workers: Worker,
    examiner: Examiner,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(deliver, "TRIES_AT_BAD_MEDIA", 1)
    clip = held_clip(owner, alternative(), examined=True, fault="truncated_video")
    ended = followed(api, workers, str(clip))
    assert (ended["status"], ended["model"]) == ("completed", SECOND)
    assert tries(clip) == [(FIRST, "failed", "quality")] * 2 + [(SECOND, "succeeded", "")]
    first = Attempt.objects.order_by("number")[0]
    assert (first.figures, first.picture) == ({"problem": "bad_media"}, None)
    assert len(examiner.given) == 1


def test_without_an_examiner_no_video_passes_and_somebody_is_called(
    owner: User,
    api: Client,
    workers: Worker,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(delivery, "_EXAMINERS", [])
    monkeypatch.setattr(deliver, "TRIES", 1)
    clip = held_clip(owner, alternative(), examined=True)
    ended = followed(api, workers, str(clip))
    assert (ended["status"], ended["error"]["code"]) == ("failed", "undeliverable")
    assert [record.__dict__["alarm"] for record in caplog.records if "alarm" in record.__dict__] == [
        "no_examiner"
    ]
    # The model did what it was asked for: nobody else is asked, and it is looked for again.
    assert tries(clip) == [(FIRST, "succeeded", "")]
    assert entries_of(str(clip)) == ["hold", "release"]
    assert late_results.look_again() == 1


def test_a_clip_that_is_cancelled_while_it_is_examined_is_not_made_again(
    owner: User, api: Client, workers: Worker, examiner: Examiner
) -> None:
    clip = held_clip(owner, alternative(), examined=True)
    examiner.refuses = lambda number: True
    io = Worker()
    io.until(lambda: Job.objects.filter(stage="deliver_examined", lease_until=None).exists())
    io.stop()
    assert post(api, f"generations/{clip}/cancel/").json()["outcome"] == "too_late"
    ended = followed(api, workers, str(clip))
    assert (ended["status"], len(examiner.given)) == ("cancelled", 1)
    assert tries(clip) == [(FIRST, "failed", "quality")]
    assert balance(api) == (CREDITS, 0)


def test_a_late_video_is_examined_as_it_would_have_been_in_time(
    owner: User, api: Client, workers: Worker, examiner: Examiner
) -> None:
    clip = held_clip(owner, examined=True, fault="stuck")
    workers.until(lambda: Attempt.objects.filter(external_id__isnull=False).exists())
    workers.until(lambda: not Job.objects.filter(lease_until__isnull=False).exists())
    other = held_clip(owner)
    followed(api, workers, str(other))
    with transaction.atomic():
        operations.release(clip)
    examiner.refuses = lambda number: number == 1
    # The vendor has it after all, as an operator found out, first badly and then well.
    for status in ("failed", "completed"):
        with transaction.atomic():
            operations.give_result(clip, a_result(str(other)))
        workers.until(lambda: not Job.objects.filter(kind=LATE_RESULT, ended_at=None).exists())
        assert Generation.objects.get(id=clip).status == status
    assert len(examiner.given) == 2
    assert entries_of(str(clip)) == ["hold", "release"]


def test_a_worker_that_is_killed_while_it_examines_loses_nothing_and_charges_once(
    owner: User, api: Client, workers: Worker, examiner: Examiner, sandbox: RunningSandbox
) -> None:
    clip = held_clip(owner, examined=True)
    io = Worker()
    io.until(lambda: Job.objects.filter(stage="deliver_examined", lease_until=None).exists())
    io.stop()
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.generations.examining"],
        cwd=PROJECT,
        env={
            **os.environ,
            "CRASH_POINT": "deliver.examined",
            "DATABASE_URL": database_url(),
            "DJANGO_SETTINGS_MODULE": "config.settings",
        },
        preexec_fn=die_with_parent(),
    )
    assert child.wait(60) == -signal.SIGKILL
    try:
        # Its lease is over.
        clock.advance(timedelta(seconds=LEASE_SECONDS + 1))
        assert followed(api, workers, str(clip))["status"] == "completed"
    finally:
        clock.reset()
    assert accepted(sandbox, str(clip)) == [1]
    assert entries_of(str(clip)) == ["hold", "capture"]
    assert Asset.objects.filter(origin="generation").count() == 1
