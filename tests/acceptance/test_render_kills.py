"""SIGKILL at every named point of a film's making, in real processes: the film still ends right, charged once."""

import os
import random
import re
import signal
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest
from django.conf import settings as current
from django.db import connection, transaction
from django.test import Client
from pytest_django import Settings

from accounts.models import User
from accounts.tiers import tiers
from credits import verification
from credits.models import Entry, Hold
from generations import inventory, scratch, storage
from generations.models import Asset, Generation, Project
from pipeline import versions
from pipeline.models import Author, FilmPart, FilmSound, Render, RenderSegment, VideoEdit
from pipeline.plans.film import Film
from tests.acceptance.test_crash_points import OF_A_STAGE, runner
from tests.generations.conftest import api_of, post, with_credits
from tests.pipeline.renders.conftest import film, segment
from workers import clock
from workers.models import Job

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PROJECT = Path(__file__).resolve().parents[2]
STAGES = ("frame", "conform", "sound", "compose")
OWN_POINTS = (
    "frame.downloaded",
    "frame.stored",
    "conform.downloaded",
    "conform.conformed",
    "conform.stored",
    "sound.made",
    "sound.stored",
    "compose.fetched",
    "compose.composed",
    "compose.examined",
    "compose.parts_stored",
    "compose.stored",
)
# Only on the way of an edit, and of a film some of whose parts are gone.
OF_OTHERS = {"compose.downloaded"}
EDIT_POINTS = ("compose.downloaded", "compose.composed", "compose.stored")
POINTS = (*(f"{stage}.{point}" for stage in STAGES for point in OF_A_STAGE), *OWN_POINTS)
# In every run: where files lie about, and where what was done is not yet said.
FEW = (
    "frame.stored",
    "conform.downloaded",
    "conform.stored",
    "sound.made",
    "sound.after_call",
    "compose.fetched",
    "compose.examined",
    "compose.stored",
    "compose.before_commit",
)
FULL = os.environ.get("PROOF") == "full"
# Kills before a healthy worker comes: a work that is hit more than five times in a row is given up as what kills workers.
AT_ONCE = 4 if FULL else len(FEW)
QUEUES = ("io", "slow", "media")
ENDED_WITHIN_SECONDS = 180
GONE_WITHIN_SECONDS = 10
SMALL = {"FILM_SHORT_SIDE": "90", "FILM_PRESET": "ultrafast"}


def variables() -> dict[str, str]:
    """Of the workers: small films, and a folder for their scratch that nobody else has."""
    return {**SMALL, "SCRATCH_DIR": str(current.SCRATCH_DIR)}


def test_the_points_are_those_in_the_code() -> None:
    code = "".join(path.read_text() for path in PROJECT.glob("pipeline/**/*.py"))
    own = set(re.findall(r'crash\.point\("([^"]+)"\)', code))
    assert {name for name in own if name.split(".")[0] in STAGES} == set(OWN_POINTS) | OF_OTHERS
    assert set(FEW) <= set(POINTS)


@pytest.fixture
def owner(transactional_db: None, empty_redis: object, settings: Settings) -> Iterator[User]:
    settings.TIERS = {"free": {"creates_per_minute": 10_000}}
    settings.FILM_SHORT_SIDE = 90
    settings.FILM_PRESET = "ultrafast"
    tiers.cache_clear()
    yield with_credits(100_000)
    tiers.cache_clear()


def a_film(number: int) -> Film:
    """The clips are the same in each, so that they are made once; all else is another's, and made anew."""
    over = {"text": f"Film {number}", "end_seconds": 1.0}
    return film(
        segment(1, overlays=[over]),
        segment(2, continuity="previous_frame", transition={"kind": "fade", "seconds": 0.4}, overlays=[over]),
        audio={"strategy": "voice_over", "script": [{"segment": "s1", "text": f"Film number {number}."}]},
        post={"captions": True},
    )


@pytest.mark.proof
@pytest.mark.timeout(2400)
def test_a_kill_at_any_point_of_a_render_leaves_one_right_film_charged_once(
    owner: User, bucket: "S3Client", tmp_path: Path, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.SCRATCH_DIR = str(tmp_path)
    points = list(POINTS if FULL else FEW)
    random.Random(1).shuffle(points)
    api = api_of(owner)
    render_for(api, owner, 0)
    slowest = 0.0
    with runner(*QUEUES, **variables()):
        slowest = await_films(1, api)
    for start in range(0, len(points), AT_ONCE):
        some = points[start : start + AT_ONCE]
        for number, point in enumerate(some, start=start + 1):
            render_for(api, owner, number)
            with runner(*QUEUES, CRASH_POINT=point, **variables()) as child:
                assert child.wait(90) == -signal.SIGKILL, point
            assert not left_running(child.pid), point
        with runner(*QUEUES, **variables()):
            slowest = max(slowest, await_films(start + len(some) + 1, api))

    check(owner, len(points) + 1)
    edits = kill_edits(api, owner)
    orphans = files_are_known_or_swept(bucket)
    with capsys.disabled():
        print(
            f"\nrenders: {len(points)} points and kills; edits: {edits}; {Render.objects.count()} films, "
            f"{Generation.objects.count()} clips, {FilmSound.objects.count()} voices; lost: 0, doubled: 0; "
            f"{orphans} objects that nobody knew were swept, no process was left; all had ended within {slowest:.0f} s"
        )


def kill_edits(api: Client, owner: User) -> int:
    """Edits of a film whose workers die; how many. Each has one result and one charge."""
    source = Render.objects.order_by("created_at").values_list("film_id", flat=True)[0]
    for number, point in enumerate(EDIT_POINTS):
        body = {"grade": "warm", "music": f"piano number {number}"}
        assert post(api, f"videos/{source}/edits/", body).status_code == 201
        connection.close()
        with runner(*QUEUES, CRASH_POINT=point, **variables()) as child:
            assert child.wait(90) == -signal.SIGKILL, point
        assert not left_running(child.pid), point
    started = time.monotonic()
    with runner(*QUEUES, **variables()):
        while VideoEdit.objects.filter(ended_at__isnull=True).exists():
            assert time.monotonic() - started < ENDED_WITHIN_SECONDS
            time.sleep(0.2)
    for edit in VideoEdit.objects.all():
        assert edit.status == "completed", edit.error_message
        assert Entry.objects.filter(subject_id=edit.id, kind="capture").count() == 1
    assert Asset.objects.filter(origin="edit").count() == len(EDIT_POINTS)
    assert not Hold.objects.filter(state="open").exists()
    assert verification.verify(owner.pk).agrees
    return len(EDIT_POINTS)


def render_for(api: Client, owner: User, number: int) -> None:
    planned = a_film(number)
    with transaction.atomic():
        project = Project.objects.create(owner=owner, title=planned.title)
        versions.save(project, planned, author=Author.USER)
    answer = post(api, f"projects/{project.id}/renders/")
    assert answer.status_code == 201, answer.content
    connection.close()


def await_films(number: int, api: Client) -> float:
    """Until so many renders have ended; the seconds it took.

    A voice whose workers were killed twice while it was made is made once more by its owner's word, for nothing.
    """
    started = time.monotonic()
    while Render.objects.filter(ended_at__isnull=False).count() < number:
        for render in Render.objects.filter(status="needs_attention"):
            assert set(render.sounds.exclude(state="completed").values_list("error_code", flat=True)) == {
                "outcome_unknown"
            }
            assert post(api, f"renders/{render.id}/regenerate/").status_code == 201
        waited = time.monotonic() - started
        open_ = list(
            Job.objects.filter(ended_at__isnull=True).values_list(
                "kind", "stage", "state", "claims", "due_at"
            )
        )
        assert waited < ENDED_WITHIN_SECONDS, open_
        time.sleep(0.2)
    return time.monotonic() - started


def left_running(pid: int) -> list[psutil.Process]:
    """The children of a worker that is gone which are still there after some seconds: one may just have begun."""
    deadline = time.monotonic() + GONE_WITHIN_SECONDS
    while (left := running_children(pid)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return left


def running_children(pid: int) -> list[psutil.Process]:
    """FFmpeg and the other children of a worker that is gone."""
    found = []
    for process in psutil.process_iter(["pid", "cmdline", "status"]):
        words = " ".join(process.info["cmdline"] or [])
        is_ours = f" {pid} " in f" {words} " and ("launch.py" in words or "decoding.py" in words)
        if is_ours and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(process)
    return found


def check(owner: User, films: int) -> None:
    renders = list(Render.objects.all())
    assert [one.status for one in renders] == ["completed"] * films, [
        (one.status, one.error_code, one.error_message) for one in renders
    ]
    for one in renders:
        assert Entry.objects.filter(subject_id=one.id, kind="hold").count() == 1
        assert Entry.objects.filter(subject_id=one.id, kind="capture").count() == 1
        assert one.film is not None
        assert storage.head(one.film.key) is not None
        assert one.film.duration_seconds is not None
        assert abs(float(one.film.duration_seconds) - 3.6) < 0.05
    assert Asset.objects.filter(origin="render").count() == films
    clips = Generation.objects.count()
    assert clips == 2, "the clips were made once, for the first film"
    assert (
        Entry.objects.filter(kind="capture", subject_id__in=Generation.objects.values("id")).count() == clips
    )
    assert set(FilmSound.objects.values_list("state", flat=True)) == {"completed"}
    assert FilmSound.objects.count() == films
    assert all(one.conformed_at for one in RenderSegment.objects.all())
    assert not Hold.objects.filter(state="open").exists()
    assert verification.verify(owner.pk).agrees
    names = list(FilmPart.objects.values_list("name", flat=True))
    assert len(names) == len(set(names))


def files_are_known_or_swept(bucket: "S3Client") -> int:
    """What killed workers left in the store and on the disk goes with the sweeps, and nothing else; how many objects."""
    clock.advance(timedelta(hours=25))
    put_right = inventory.compare()
    for asset in Asset.objects.filter(state="ready"):
        for key in (asset.key, asset.thumbnail_key, asset.poster_key, *asset.further_keys):
            assert not key or storage.head(key) is not None, key
    assert not Asset.objects.filter(state="lost").exists()
    known = {
        key
        for asset in Asset.objects.all()
        for key in (asset.key, asset.thumbnail_key, asset.poster_key, *asset.further_keys)
    }
    assert {one.key for one in storage.list_objects()} <= known
    for folder in Path(current.SCRATCH_DIR).glob("*"):
        os.utime(folder, (0, 0))
    scratch.remove_left()
    assert not list(Path(current.SCRATCH_DIR).glob("*"))
    return put_right
