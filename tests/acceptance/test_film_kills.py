"""SIGKILL at every named point of an analysis, a planning and a chat turn, in real processes."""

import json
import random
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection, transaction
from django.test import Client
from pytest_django import Settings

from accounts.models import User
from accounts.tiers import tiers
from config.stack import sample
from credits import rate_cards, verification
from credits.models import Entry, Hold
from credits.rate_cards import RateCardDraft
from generations.models import Asset, Project
from pipeline import versions
from pipeline.models import Analysis, Author, ChatTurn, LanguageCall, Planning, PlanVersion
from tests.acceptance.test_crash_points import OF_A_STAGE, WORKING_AGAIN_SECONDS, await_ends, runner
from tests.generations.conftest import api_of, post, with_credits
from tests.pipeline.conftest import uploaded
from tests.pipeline.plans.cast import film, segment
from tests.pipeline.test_language import draft
from tests.vendors import Groq, Request

PROJECT = Path(__file__).resolve().parents[2]
STAGES = ("measure", "understand", "plan", "reply")
POINTS = (
    *(f"{stage}.{point}" for stage in STAGES for point in OF_A_STAGE),
    "measure.downloaded",
    "measure.measured",
    "measure.stored",
)
QUEUES = ("media", "slow")
# Kills before a healthy worker comes: an account may have twenty works at once.
AT_ONCE = 16
# Credits of each work in this test: free ones would prove nothing of their holds.
PRICE = 10


def test_the_points_are_those_in_the_code() -> None:
    code = "".join(path.read_text() for path in PROJECT.glob("pipeline/**/*.py"))
    named = set(re.findall(r'crash\.point\("([^"]+)"\)', code))
    own = {name for name in named if name.split(".")[0] in STAGES}
    assert own == {point for point in POINTS if point.split(".")[1] not in OF_A_STAGE}


@pytest.fixture
def owner(transactional_db: None, empty_redis: object, settings: Settings) -> Iterator[User]:
    settings.TIERS = {"free": {"creates_per_minute": 10_000}}
    tiers.cache_clear()
    for kind in ("analysis", "planning", "chat"):
        rate_cards.publish(
            f"service/{kind}", RateCardDraft(base_credits=PRICE, base_seconds=1), operator_id=None
        )
    yield with_credits(10_000)
    tiers.cache_clear()


@pytest.fixture
def groq() -> Iterator[Groq]:
    with Groq() as running:
        running.answers(answer)
        yield running


def answer(request: Request) -> str:
    """As a good model would: which question it is shows in what is asked of it."""
    system = request.json["messages"][0]["content"]
    if "You describe a sample" in system:
        texts = dict.fromkeys(
            ("summary", "content", "audience", "style", "composition", "mood", "camera"), "As seen"
        )
        one = {"shot": 1, "description": "Bars", "content_type": "animation"}
        return json.dumps({**texts, "content_type": "animation", "scenes": [one]})
    if "You plan" in system:
        return draft()
    return json.dumps({"reply": "Warmer now.", "edits": [{"op": "set_grade", "grade": "warm"}]})


@pytest.mark.timeout(900)
def test_a_kill_at_any_point_of_a_film_loses_nothing_and_doubles_nothing(
    owner: User, groq: Groq, bucket: object, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    api = api_of(owner)
    made = sample.make(tmp_path / "sample.mp4", seed=5, style="hard", size=(90, 160), scenes=2, sound=False)
    asset = uploaded(owner, made.path, "video/mp4")
    variables = {
        "GROQ_API_KEY": groq.key,
        "GROQ_BASE_URL": groq.url,
        "VISION_MODELS": "groq/qwen/qwen3.8-27b",
    }
    points = list(POINTS)
    random.Random(1).shuffle(points)
    slowest = 0.0
    for start in range(0, len(points), AT_ONCE):
        for point in points[start : start + AT_ONCE]:
            work_for(point, api, owner, asset)
            with runner(*QUEUES, CRASH_POINT=point, **variables) as child:
                assert child.wait(90) == -signal.SIGKILL, point
        with runner(*QUEUES, **variables):
            slowest = max(slowest, await_ends(WORKING_AGAIN_SECONDS))

    check(owner)
    with capsys.disabled():
        print(
            f"\nfilm: {len(POINTS)} points and kills; {Analysis.objects.count()} analyses,"
            f" {Planning.objects.count()} plannings, {ChatTurn.objects.count()} turns,"
            f" {LanguageCall.objects.count()} calls; lost: 0, doubled: 0; all had ended within {slowest:.0f} s"
        )


def work_for(point: str, api: Client, owner: User, asset: Asset) -> None:
    """Something that comes past the point."""
    stage = point.split(".")[0]
    body = {"title": "Film", "description": "A boat leaves."}
    if stage in ("measure", "understand"):
        body["sample"] = str(asset.id)
    project = post(api, "projects/", body).json()["id"]
    if stage == "plan":
        assert post(api, f"projects/{project}/plan/").status_code == 201
    if stage == "reply":
        planned = film(segment(1, model="sandbox/motion-1"), segment(2, model="sandbox/motion-1"))
        with transaction.atomic():
            versions.save(Project.objects.get(id=project), planned, author=Author.RULE)
        assert post(api, f"projects/{project}/chat/", {"message": "warmer"}).status_code == 201
    connection.close()


def check(owner: User) -> None:
    """Each work ended once, with one result, one hold and one closing entry; each call has an end and a cost."""
    works = [*Analysis.objects.all(), *Planning.objects.all(), *ChatTurn.objects.all()]
    assert {work.status for work in works} == {"completed"}
    for work in works:
        assert Hold.objects.filter(subject_id=work.id).count() == 1
        assert Entry.objects.filter(subject_id=work.id, kind="capture").count() == 1
        assert work.credits_used == PRICE
    analyses = Analysis.objects.count()
    assert Asset.objects.filter(origin="analysis").count() == analyses
    for one in Analysis.objects.all():
        # The rules take over only where two workers died with the model's answer in their hands.
        assert one.report is not None
        by_rules = one.report["audience"]["by"] == "rules"
        assert by_rules == (LanguageCall.objects.filter(subject_id=one.id, state="lost").count() == 2)
    # Of each planning one version, of each turn one, and those that the test made to talk about.
    assert PlanVersion.objects.count() == Planning.objects.count() + 2 * ChatTurn.objects.count()
    assert not LanguageCall.objects.filter(ended_at__isnull=True).exists()
    for work in works:
        assert 1 <= LanguageCall.objects.filter(subject_id=work.id).count() <= 2
    assert not Hold.objects.filter(state="open").exists()
    assert verification.verify(owner.pk).agrees
