"""SIGKILL at every named point of a clip's life, in real processes: nothing is lost, nothing is doubled."""

import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from django.test import Client
from pytest_django import Settings

from accounts.models import User
from accounts.tiers import tiers
from config.stack.child import die_with_parent
from credits import verification
from credits.models import Entry, Hold
from generations import late_results
from generations.models import Asset, Attempt, Generation
from tests.generations.conftest import api_of, post, with_credits
from tests.providers.sandbox import RunningSandbox
from tests.scratch import database_url
from workers.engine import MOST_CLAIMS
from workers.models import Job

PROJECT = Path(__file__).resolve().parents[2]
STAGES = ("submit", "poll", "deliver")
OF_A_STAGE = (
    "before_claim_commit",
    "claimed",
    "before_call",
    "after_call",
    "before_finish",
    "before_commit",
    "after_commit",
)
POINTS = (
    *(f"{stage}.{point}" for stage in STAGES for point in OF_A_STAGE),
    "deliver.downloaded",
    "deliver.inspected",
    "deliver.signed",
    "deliver.pictures_stored",
    "deliver.stored",
)
# Not on the way of a clip that nobody examines: tests.generations.test_examined kills there.
OF_EXAMINED_CLIPS = {"deliver.examined"}
# Kills at each point.
ROUNDS = int(os.environ.get("PROOF_KILLS", "50")) if os.environ.get("PROOF") == "full" else 1
# From the first healthy worker on.
WORKING_AGAIN_SECONDS = 60


def test_the_points_are_those_in_the_code() -> None:
    named = set()
    for path in [*PROJECT.glob("workers/*.py"), *PROJECT.glob("generations/**/*.py")]:
        for name in re.findall(r'crash\.point\(f?"([^"]+)"\)', path.read_text()):
            if name.startswith("{stage.name}."):
                named |= {f"{stage}.{name.removeprefix('{stage.name}.')}" for stage in STAGES}
            else:
                named.add(name)
    assert named == set(POINTS) | OF_EXAMINED_CLIPS
    assert len(POINTS) >= 24


@contextmanager
def runner(*queues: str, **variables: str) -> Iterator["subprocess.Popen[bytes]"]:
    environment = {
        **os.environ,
        **variables,
        "DATABASE_URL": database_url(),
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "SAFETY_POLL_SECONDS": "1",
        "LOG_LEVEL": "ERROR",
    }
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.acceptance.runner", *queues],
        cwd=PROJECT,
        env=environment,
        preexec_fn=die_with_parent(),
    )
    try:
        yield child
    finally:
        child.kill()
        child.wait()


@pytest.fixture
def owner(transactional_db: None, empty_redis: object, settings: Settings) -> Iterator[User]:
    settings.TIERS = {
        "free": {
            "creates_per_minute": 10_000,
            "queued_jobs": 10_000,
            "running_jobs": 50,
            "credits_per_day": 1_000_000,
        }
    }
    tiers.cache_clear()
    yield with_credits(1_000_000)
    tiers.cache_clear()


@pytest.mark.proof
@pytest.mark.timeout(7200)
def test_a_kill_at_any_point_loses_nothing_and_doubles_nothing(
    owner: User, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    sandbox = RunningSandbox(settings.SANDBOX_URL, settings.SANDBOX_API_KEY)
    api = api_of(owner)
    points = list(POINTS) * ROUNDS
    random.Random(os.environ.get("PROOF_SEED", "1")).shuffle(points)
    kills, slowest = 0, 0.0
    for start in range(0, len(points), len(POINTS)):
        for point in points[start : start + len(POINTS)]:
            kills += killed_at(point, api)
        with runner():
            slowest = max(slowest, await_ends(WORKING_AGAIN_SECONDS))
    given_up = bring_home_what_was_given_up()
    check(sandbox, owner, len(points))
    with capsys.disabled():
        print(
            f"\ncrash points: {len(POINTS)}, kills: {kills}, clips: {len(points)}, lost: 0, doubled: 0;"
            f" after {len(POINTS)} kills all had ended within {slowest:.0f} s;"
            f" given up after {MOST_CLAIMS} kills in a row, and brought home later for nothing: {given_up}"
        )
    assert kills == len(points)


def bring_home_what_was_given_up() -> int:
    """As the sweep does; how many clips had killed so many workers in a row that they were given up."""
    given_up = Generation.objects.filter(status="failed", error_code="undeliverable").count()
    late_results.look_again()
    with runner():
        await_ends(WORKING_AGAIN_SECONDS)
    return given_up


def killed_at(point: str, api: Client) -> int:
    """A clip, and a worker that dies at the point; 1 if it did."""
    make_clip(api)
    with runner(CRASH_POINT=point) as child:
        return int(child.wait(60) == -signal.SIGKILL)


@pytest.mark.timeout(300)
def test_workers_that_freeze_and_wake_submit_nothing_twice(owner: User, settings: Settings) -> None:
    sandbox, api = RunningSandbox(settings.SANDBOX_URL, settings.SANDBOX_API_KEY), api_of(owner)
    points = ("submit.claimed", "submit.before_call", "submit.after_call")
    with ExitStack() as running:
        frozen = []
        for point in points:
            make_clip(api)
            frozen.append(running.enter_context(runner(FREEZE_POINT=point)))
            assert os.WIFSTOPPED(os.waitpid(frozen[-1].pid, os.WUNTRACED)[1])
        running.enter_context(runner())
        await_ends(WORKING_AGAIN_SECONDS)
        for one in frozen:
            one.send_signal(signal.SIGCONT)
        # They wake, and would freeze again at another clip.
        make_clip(api)
        await_ends(WORKING_AGAIN_SECONDS)
    check(sandbox, owner, len(points) + 1)


def await_ends(within: float) -> float:
    """Wait until no job is open; the seconds it took. Fails after `within`."""
    started = time.monotonic()
    while Job.objects.filter(ended_at__isnull=True).exists():
        assert time.monotonic() - started < within, unfinished()
        time.sleep(0.2)
    return time.monotonic() - started


def make_clip(api: Client) -> None:
    body = {"model": "sandbox/motion-1", "prompt": "A boat", "duration_seconds": 2, "resolution": "480p"}
    made = post(api, "generations/", {**body, "controls": {"seconds": 0}})
    assert made.status_code == 201, made.content


def unfinished() -> list[tuple[object, ...]]:
    return list(Job.objects.filter(ended_at__isnull=True).values_list("stage", "state", "claims", "due_at"))


def check(sandbox: RunningSandbox, owner: User, clips: int) -> None:
    """One end, one accepted submission, one hold, one closing entry and one asset for each clip."""
    generations = list(Generation.objects.all())
    assert len(generations) == clips
    for generation in generations:
        attempts = Attempt.objects.filter(generation=generation)
        assert generation.status == "completed", (generation.error_code, list(attempts.values("state")))
        assert sum(len(sandbox.audit(attempt.id.hex)) for attempt in attempts) == 1
        assert [attempt.other_external_ids for attempt in attempts if attempt.other_external_ids] == []
        assert Hold.objects.filter(subject_id=generation.id).count() == 1
        assert Entry.objects.filter(subject_id=generation.id, kind__in=["capture", "release"]).count() == 1
    assert Asset.objects.filter(origin="generation").count() == clips
    assert not Hold.objects.filter(state="open").exists()
    assert verification.verify(owner.pk).agrees
