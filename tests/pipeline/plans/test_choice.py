"""Which model makes a segment: a table of cases."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from pipeline.plans.choice import Need, NoModel, choose
from pipeline.plans.film import Preference
from providers.catalogue import ContentType
from providers.contract import Mode

from .cast import offer, offers

NEED: dict[str, Any] = {
    "mode": Mode.TEXT,
    "ratio": "9:16",
    "resolution": "720p",
    "seconds": 5.0,
    "content_type": ContentType.PRODUCT,
}
WORDS_ONLY = frozenset({Mode.TEXT})
CHEAP = offer("cheap", credits=20, seconds=120, quality=2)
GOOD = offer("good", credits=900, seconds=240, quality=5)
QUICK = offer("quick", credits=400, seconds=10, quality=2)


@dataclass(frozen=True)
class Case:
    """What is needed and offered, and who makes it."""

    name: str
    wins: str
    offered: tuple[Any, ...] = (CHEAP, GOOD, QUICK)
    need: dict[str, Any] = field(default_factory=dict)
    preference: Preference = Preference.BALANCED


CASES = (
    Case("the cheapest where price counts", "cheap", preference=Preference.PRICE),
    Case("the best where quality counts", "good", preference=Preference.QUALITY),
    Case("the quickest where speed counts", "quick", preference=Preference.SPEED),
    Case(
        "the one that is good at what is seen, all else equal",
        "strong",
        (offer("plain"), offer("strong", strengths=frozenset({ContentType.PRODUCT}))),
    ),
    Case("the one that succeeds, all else equal", "sure", (offer("sure"), offer("shaky", success=0.6))),
    Case("one without a watermark, though it costs more", "clean",
         (offer("marked", credits=10, watermark=True), offer("clean", credits=300))),
    Case("one with a watermark where nobody else is able", "marked",
         (offer("marked", watermark=True), offer("wide", ratios=("16:9",)))),
    Case("one that can begin with an image", "able",
         (offer("words", credits=1, modes=WORDS_ONLY), offer("able")),
         {"mode": Mode.IMAGE}),
    Case("one that makes the ratio", "upright", (offer("wide", credits=1, ratios=("16:9",)), offer("upright"))),
    Case("one that makes the resolution", "sharp",
         (offer("small", credits=1, resolutions=("720p",)), offer("sharp")), {"resolution": "1080p"}),
    Case("one that is long enough", "long",
         (offer("short", credits=1, durations=(4,)), offer("long", durations=(5, 10))), {"seconds": 9.0}),
    Case("one that reads so long a prompt", "reader",
         (offer("deaf", credits=1, max_prompt_length=10), offer("reader")), {"prompt_length": 11}),
    Case("a healthy one", "well", (offer("ill", credits=1, healthy=False), offer("well"))),
    Case("of equals the cheaper", "b", (offer("a", credits=0, seconds=60), offer("b", credits=0, seconds=59))),
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_model_is(case: Case) -> None:
    choices = choose(Need(**{**NEED, **case.need}), offers(*case.offered), case.preference)
    assert choices[0].model == f"vendor/{case.wins}"


def test_the_shortest_clip_that_shows_it_all_is_bought() -> None:
    choice = choose(
        Need(**{**NEED, "seconds": 5.2}), offers(offer("x", durations=(4, 5, 6, 8))), Preference.PRICE
    )[0]
    assert choice.clip_seconds == 6


def test_the_reason_names_what_counted() -> None:
    choice = choose(Need(**NEED), offers(CHEAP, GOOD), Preference.PRICE)[0]
    assert "the cheapest" in choice.reason
    assert "For price" in choice.reason


def test_the_same_question_has_the_same_answer_in_any_order() -> None:
    forward = choose(Need(**NEED), offers(CHEAP, GOOD, QUICK), Preference.BALANCED)
    backward = choose(Need(**NEED), offers(QUICK, GOOD, CHEAP), Preference.BALANCED)
    assert forward == backward


def test_where_nobody_is_able_each_ones_reason_is_told() -> None:
    offered = offers(offer("wide", ratios=("16:9",)), offer("ill", healthy=False))
    with pytest.raises(NoModel, match=r"vendor/wide: it does not make 9:16; vendor/ill: it fails too often"):
        choose(Need(**NEED), offered, Preference.BALANCED)


def test_where_nothing_is_offered_that_is_told() -> None:
    with pytest.raises(NoModel, match="No model is available"):
        choose(Need(**NEED), {}, Preference.BALANCED)
