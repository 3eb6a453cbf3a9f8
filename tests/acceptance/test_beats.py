"""Two clocks for a week, and none for ten minutes: every effect once, and nothing forgotten."""

import os
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from django.conf import settings as django_settings
from django.test import Client
from pytest_django import Settings

from accounts.models import Event, User
from accounts.tiers import tiers
from credits import verification
from credits.models import Entry
from generations.models import Asset, AssetKind, AssetState, Attempt, Generation
from generations.models.assets import AssetOrigin
from tests.generations.conftest import api_of, post, with_credits
from tests.processes import Processes
from tests.providers.sandbox import RunningSandbox
from workers import clock
from workers.models import Job

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

FULL = os.environ.get("PROOF") == "full"
DAYS = 7
STEP = timedelta(hours=1 if FULL else 12)
VIDEOS = 1_000 if FULL else 100
CAUGHT_UP_SECONDS = 60


@pytest.fixture
def owner(transactional_db: None, empty_redis: object, settings: Settings) -> Iterator[User]:
    settings.TIERS = {"free": {"creates_per_minute": 10_000, "queued_jobs": 10_000, "running_jobs": 50}}
    tiers.cache_clear()
    yield with_credits(1_000_000)
    tiers.cache_clear()


def videos(owner: User, bucket: "S3Client", due: list[datetime]) -> None:
    """A stored video for each moment at which one lapses."""
    for expires_at in due:
        asset_id = uuid4()
        key = f"outputs/{owner.pk}/{asset_id}/1/video.mp4"
        bucket.put_object(Bucket=django_settings.S3_BUCKET, Key=key, Body=b"video")
        Asset.objects.create(
            id=asset_id,
            owner=owner,
            kind=AssetKind.VIDEO,
            origin=AssetOrigin.GENERATION,
            state=AssetState.READY,
            media_type="video/mp4",
            bytes=5,
            key=key,
            expires_at=expires_at,
            created_at=due[0],
        )


def order(api: Client, **changes: object) -> str:
    body = {"model": "sandbox/motion-1", "prompt": "A boat", "duration_seconds": 2, "resolution": "480p"}
    made = post(api, "generations/", {**body, "controls": {"seconds": 0.2}, **changes})
    assert made.status_code == 201, made.content
    return str(made.json()["id"])


def lapsed() -> int:
    """Videos whose bytes should be gone and are not."""
    due = clock.now() - django_settings.EXPIRY_GRACE
    return Asset.objects.filter(expires_at__lte=due, bytes_deleted_at=None).count()


def due_jobs() -> int:
    return Job.objects.filter(ended_at=None, due_at__lte=clock.now()).count()


def check_once(owner: User, sandbox: RunningSandbox, bucket: "S3Client") -> None:
    """One event and no object for each lapsed video; one submission, one closing entry, one end for each clip."""
    gone = set(Asset.objects.exclude(bytes_deleted_at=None).values_list("id", "key"))
    events = list(
        Event.objects.filter(owner=owner, kind="asset.expired").values_list("subject_id", flat=True)
    )
    assert sorted(events) == sorted(asset_id for asset_id, _ in gone)
    pages = bucket.get_paginator("list_objects_v2").paginate(Bucket=django_settings.S3_BUCKET)
    left = {found["Key"] for page in pages for found in page.get("Contents", [])}
    assert left.isdisjoint(key for _, key in gone)
    assert left >= set(Asset.objects.filter(bytes_deleted_at=None).values_list("key", flat=True))
    for clip in Generation.objects.exclude(ended_at=None):
        attempts = Attempt.objects.filter(generation=clip)
        assert clip.status == "completed"
        assert sum(len(sandbox.audit(attempt.id.hex)) for attempt in attempts) == 1
        assert Entry.objects.filter(subject_id=clip.id, kind__in=["capture", "release"]).count() == 1
        assert Event.objects.filter(subject_id=clip.id, kind="generation.completed").count() == 1
    assert verification.verify(owner.pk).agrees


@pytest.mark.proof
@pytest.mark.timeout(3600)
def test_two_beats_for_a_week_do_everything_once(
    owner: User,
    settings: Settings,
    bucket: "S3Client",
    processes: Processes,
    capsys: pytest.CaptureFixture[str],
) -> None:
    started = clock.now()
    week = timedelta(days=DAYS)
    videos(owner, bucket, [started + week * number / VIDEOS for number in range(VIDEOS)])
    api = api_of(owner)
    for day in range(1, DAYS):
        order(api, start_after=(started + timedelta(days=day)).isoformat())
    processes.start("worker-io", SAFETY_POLL_SECONDS="1")
    processes.start("beat")
    processes.start("beat", "second beat")
    steps = 0
    slowest = 0.0

    while clock.now() < started + week + django_settings.EXPIRY_GRACE:
        clock.advance(STEP)
        steps += 1
        took = processes.wait_until(
            lambda: lapsed() == 0 and due_jobs() == 0, CAUGHT_UP_SECONDS, "what was due is done"
        )
        slowest = max(slowest, took)

    clips = Generation.objects.filter(status="completed")
    assert clips.count() == DAYS - 1
    for clip in clips:
        assert clip.start_after is not None
        assert clip.started_at is not None
        assert clip.start_after <= clip.started_at
    assert Event.objects.filter(kind="asset.expired").count() >= VIDEOS
    check_once(owner, RunningSandbox(settings.SANDBOX_URL, settings.SANDBOX_API_KEY), bucket)
    with capsys.disabled():
        print(
            f"\ntwo beats: {steps} steps over {DAYS} days, {VIDEOS} videos expired once, {clips.count()} clips"
            f" started once at their time, caught up within {slowest:.1f} s"
        )


@pytest.mark.proof
def test_ten_minutes_without_a_beat_are_caught_up_within_a_minute(
    owner: User,
    settings: Settings,
    bucket: "S3Client",
    processes: Processes,
    capsys: pytest.CaptureFixture[str],
) -> None:
    lapse = clock.now() - django_settings.EXPIRY_GRACE
    videos(owner, bucket, [lapse + timedelta(seconds=30 * number) for number in range(20)])
    api = api_of(owner)
    processes.start("worker-io", SAFETY_POLL_SECONDS="1")

    # Clips need no beat.
    clip = order(api)
    processes.wait_until(lambda: Generation.objects.get(id=clip).ended_at is not None, CAUGHT_UP_SECONDS)
    later = order(api, start_after=(clock.now() + timedelta(minutes=5)).isoformat())
    clock.advance(timedelta(minutes=10))
    processes.wait_until(lambda: Generation.objects.get(id=later).ended_at is not None, CAUGHT_UP_SECONDS)
    assert lapsed() == 20

    processes.start("beat")
    took = processes.wait_until(lambda: lapsed() == 0, CAUGHT_UP_SECONDS, "20 videos expired")

    check_once(owner, RunningSandbox(settings.SANDBOX_URL, settings.SANDBOX_API_KEY), bucket)
    with capsys.disabled():
        print(
            f"\nno beat for ten minutes: 2 clips done meanwhile, 20 videos expired {took:.1f} s after its return"
        )
