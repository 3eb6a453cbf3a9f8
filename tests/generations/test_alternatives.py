"""Which models may make a clip in its own model's place, chosen as it is created, and what it then costs."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import User
from accounts.tiers import tier_of
from credits.models import Account, Hold
from generations.errors import InvalidRequest
from generations.fallback import MOST_ALTERNATIVES, alternatives
from generations.models import Attempt, Generation, ModelSwitch
from generations.requests import Draft, GenerationRequest, check_source, complete
from providers.contract import Mode, RenderState
from providers.errors import FailureCode
from providers.facts import Restriction, VideoModel
from workers import clock

from .conftest import CREDITS, Worker, followed, get, post
from .fake_vendor import A_MODEL, CARD, FAKE, OTHER, TWIN, Fakes, a_failure

RIVAL = "other/rival"


def of(clip: Any) -> list[str]:
    return [one["model"] for one in Generation.objects.get(id=clip).alternatives]


def rival(**changes: Any) -> VideoModel:
    return replace(A_MODEL, **{"id": RIVAL, "provider": "other", "controls": (), **changes})


def priced(credits: int) -> Any:
    return replace(CARD, base_credits=credits)


def test_those_of_other_vendors_come_first_then_the_cheaper_and_three_at_most(
    fakes: Fakes, owner: User
) -> None:
    assert of(fakes.ask(owner, fallback=True)) == [OTHER, TWIN]
    fakes.add(rival(id="other/cheap"), priced(90))
    fakes.add(rival(id="other/same"), priced(100))
    clip = fakes.ask(owner, fallback=True)
    assert of(clip) == ["other/cheap", OTHER, "other/same"]
    assert len(of(clip)) == MOST_ALTERNATIVES
    assert Generation.objects.get(id=clip).alternatives[0] == {"model": "other/cheap", "credits": 90}


@pytest.mark.parametrize(
    ("changes", "able"),
    [
        ({}, True),
        ({"quality": 5}, True),
        ({"quality": 2}, False),
        ({"watermark": True}, False),
        ({"pretends": True}, False),
        ({"spoken_characters_per_second": 15}, False),
        ({"modes": frozenset({Mode.IMAGE})}, False),
        ({"durations": (4, 6)}, False),
        ({"resolutions": ("1080p",)}, False),
        ({"ratios": ("9:16",), "default_ratio": "9:16"}, False),
        ({"max_prompt_length": 3}, False),
        ({"max_prompt_length": 0}, False),
        ({"requires_tier": "pro"}, False),
        ({"restrictions": (Restriction(resolutions=("720p",), durations=(8,)),)}, False),
        ({"restrictions": (Restriction(modes=frozenset({Mode.IMAGE}), durations=(8,)),)}, True),
        ({"available_from": datetime(2030, 1, 1, tzinfo=UTC)}, False),
    ],
)
def test_only_what_is_no_worse_and_takes_the_whole_request(
    fakes: Fakes, owner: User, changes: dict[str, Any], able: bool
) -> None:
    fakes.add(rival(**changes))
    assert (RIVAL in of(fakes.ask(owner, fallback=True))) is able


@pytest.mark.parametrize(
    ("asked", "changes"),
    [
        ({"seed": 7}, {"seed": False}),
        ({"negative_prompt": "rain"}, {}),
        ({"audio": True}, {}),
        ({"enhance": True}, {}),
        ({"style": "cinematic"}, {}),
    ],
)
def test_an_option_that_the_other_lacks_rules_it_out(
    fakes: Fakes, owner: User, asked: dict[str, Any], changes: dict[str, Any]
) -> None:
    [option] = asked
    takes = {"styles": ("cinematic",)} if option == "style" else {option: True}
    fakes.add(replace(A_MODEL, **takes), None)
    fakes.add(rival(**changes))
    able = fakes.add(rival(id="other/able", **takes))
    found = of(fakes.ask(owner, fallback=True, **asked))
    assert able.id in found
    assert RIVAL not in found


def test_a_model_that_marks_its_videos_may_be_replaced_by_either(fakes: Fakes, owner: User) -> None:
    fakes.add(replace(A_MODEL, watermark=True), None)
    fakes.add(rival(watermark=True))
    assert set(of(fakes.ask(owner, fallback=True))) == {RIVAL, OTHER, TWIN}


def test_one_that_costs_more_or_that_nobody_can_price_is_none(fakes: Fakes, owner: User) -> None:
    fakes.add(rival(), priced(101))
    fakes.add(rival(id="other/free-of-price"), None)
    assert of(fakes.ask(owner, fallback=True)) == [OTHER, TWIN]


def test_one_that_is_switched_off_retired_or_whose_vendor_has_no_key_is_none(
    fakes: Fakes, owner: User
) -> None:
    now = clock.now()
    ModelSwitch.objects.create(model=TWIN, enabled=False)
    assert of(fakes.ask(owner, fallback=True)) == [OTHER]
    ModelSwitch.objects.create(model=OTHER, retires_at=now)
    assert of(fakes.ask(owner, fallback=True)) == []
    ModelSwitch.objects.update(enabled=True, retires_at=now + timedelta(days=1))
    assert of(fakes.ask(owner, fallback=True)) == [OTHER, TWIN]
    fakes.add(replace(A_MODEL, id=TWIN, vendor_model="two", retires_at=now), None)
    assert of(fakes.ask(owner, fallback=True)) == [OTHER]
    fakes.settings.OTHER_API_KEY = ""
    assert of(fakes.ask(owner, fallback=True)) == []


def test_none_for_a_clip_with_controls_and_none_where_the_owner_forbids_it(
    fakes: Fakes, owner: User, api: Client
) -> None:
    assert of(fakes.ask(owner, fallback=True, controls={"zoom": 0.5})) == []
    body = {"model": FAKE, "prompt": "A boat"}
    for more, expected in (({}, [OTHER, TWIN]), ({"fallback": False}, [])):
        answer = post(api, "generations/", {**body, **more})
        assert answer.status_code == 201, answer.content
        assert answer.json()["alternatives"] == expected
        assert of(answer.json()["id"]) == expected


def test_a_sandbox_never_stands_in_for_a_real_model_nor_the_other_way_round(
    fakes: Fakes, owner: User
) -> None:
    fakes.add(replace(fakes.models["sandbox/motion-1"], quality=5, id="sandbox/best", controls=()), priced(1))
    assert "sandbox/best" not in of(fakes.ask(owner, fallback=True))
    assert of(fakes.ask(owner, fallback=True, model="sandbox/motion-1")) == ["sandbox/best"]


def test_alternatives_are_found_in_two_statements_or_none(
    fakes: Fakes, owner: User, django_assert_num_queries: Any
) -> None:
    tier, now = tier_of(owner), clock.now()
    for draft, statements in (({}, 2), ({"controls": {"zoom": 0.5}}, 0)):
        request = completed(owner, A_MODEL, **draft)
        with django_assert_num_queries(statements):
            assert len(alternatives(request, 100, tier, now)) == statements


def test_a_clip_made_from_a_video_does_not_go_to_a_model_that_would_make_all_of_that_video(
    fakes: Fakes, owner: User
) -> None:
    """It may be longer than what was asked and paid for."""
    fakes.add(rival(source_sets_length=True))
    request = completed(owner, A_MODEL, source_video=IMAGE)

    def able() -> list[str]:
        return [one["model"] for one in alternatives(request, 100, tier_of(owner), clock.now())]

    assert able() == [OTHER, TWIN]
    fakes.add(replace(A_MODEL, source_sets_length=True), None)
    assert able() == [OTHER, RIVAL, TWIN]


def test_what_is_charged_is_the_pinned_price_of_the_model_that_delivers(
    fakes: Fakes, owner: User, api: Client, worker: Worker
) -> None:
    """Pinned at creation: a price that changes later changes nothing."""
    fakes.add(rival(), priced(70))
    fakes.fake.begins, fakes.fake.failure = RenderState.FAILED, a_failure()
    clip = fakes.ask(owner, fallback=True)
    fakes.add(rival(), priced(95))
    ended = followed(api, worker, str(clip))
    assert (ended["status"], ended["model"], ended["provider"]) == ("completed", RIVAL, "other")
    assert (ended["credits"]["quoted"], ended["credits"]["used"]) == (100, 70)
    assert Hold.objects.get().captured == 70
    assert Account.objects.get(owner=owner).balance == CREDITS - 70
    assert list(Attempt.objects.order_by("number").values_list("model", "account", "cost_expected")) == [
        (FAKE, "main", Decimal("0.5")),
        (RIVAL, "main", Decimal("0.5")),
    ]


def test_where_fallback_is_forbidden_a_failure_is_the_end(
    fakes: Fakes, owner: User, api: Client, worker: Worker
) -> None:
    fakes.fake.begins, fakes.fake.failure = RenderState.FAILED, a_failure(code=FailureCode.NO_MEDIA)
    ended = followed(api, worker, str(fakes.ask(owner, fallback=False)))
    assert (ended["status"], ended["model"], ended["error"]["code"]) == ("failed", FAKE, "no_media")
    assert fakes.other.submitted() == []


def test_a_clip_that_failed_is_retried_with_the_alternatives_of_the_moment(
    fakes: Fakes, owner: User, api: Client, worker: Worker
) -> None:
    fakes.fake.begins, fakes.fake.failure = RenderState.FAILED, a_failure()
    clip = fakes.ask(owner)
    followed(api, worker, str(clip))
    answer = post(api, f"generations/{clip}/retry/", {"fallback": True})
    assert answer.status_code == 201, answer.content
    assert get(api, f"generations/{answer.json()['id']}/").json()["alternatives"] == [OTHER, TWIN]


# What may be asked of a model


def completed(owner: User, model: VideoModel, **draft: Any) -> GenerationRequest:
    wanted = Draft(**{"model": model.id, "prompt": "A boat", **draft})
    return complete(wanted, model, tier_of(owner), resolution="720p", ratio="16:9")


def refusal(owner: User, model: VideoModel, **draft: Any) -> tuple[str, str]:
    with pytest.raises(InvalidRequest) as caught:
        completed(owner, model, **draft)
    return caught.value.details["field"], caught.value.code


IMAGE = uuid4()


@pytest.mark.parametrize(
    ("changes", "draft", "expected"),
    [
        ({"max_prompt_length": 0}, {"start_image": IMAGE}, ("prompt", "unsupported")),
        ({}, {"prompt": " "}, ("prompt", "required")),
        ({}, {"prompt": "x" * 1001}, ("prompt", "too_long")),
        ({"spoken_characters_per_second": 10}, {"prompt": "x" * 51}, ("prompt", "too_long")),
        ({}, {"end_image": IMAGE}, ("start_image", "required")),
        ({}, {"mode": "first_last", "start_image": IMAGE}, ("end_image", "required")),
        ({}, {"mode": "text", "start_image": IMAGE}, ("start_image", "unsupported")),
        (
            {"restrictions": (Restriction(resolutions=("1080p",), durations=(8,)),)},
            {"resolution": "1080p"},
            ("duration_seconds", "unsupported"),
        ),
        (
            {"restrictions": (Restriction(modes=frozenset({Mode.IMAGE}), resolutions=("1080p",)),)},
            {"resolution": "1080p", "start_image": IMAGE},
            ("resolution", "unsupported"),
        ),
    ],
)
def test_what_a_model_does_not_make_is_refused_by_the_field(
    fakes: Fakes, owner: User, changes: dict[str, Any], draft: dict[str, Any], expected: tuple[str, str]
) -> None:
    assert refusal(owner, replace(A_MODEL, **changes), **draft) == expected


def test_what_stands_right_beside_it_is_taken(fakes: Fakes, owner: User) -> None:
    def taken(changes: dict[str, Any], **draft: Any) -> GenerationRequest:
        return completed(owner, replace(A_MODEL, **changes), **draft)

    assert taken({"max_prompt_length": 0}, prompt="  ", start_image=IMAGE).prompt == ""
    assert taken({"spoken_characters_per_second": 10}, prompt="x" * 50).duration_seconds == 5
    assert taken({"spoken_characters_per_second": 10}, prompt="x" * 80, duration_seconds=8).prompt
    assert taken({"end_image_alone": True}, end_image=IMAGE).mode is Mode.FIRST_LAST
    assert taken({}, start_image=IMAGE, end_image=IMAGE).mode is Mode.FIRST_LAST
    only = (Restriction(resolutions=("1080p",), durations=(8,)),)
    assert taken({"restrictions": only}, resolution="1080p", duration_seconds=8).duration_seconds == 8
    assert taken({"restrictions": only}, resolution="720p").duration_seconds == 5


def test_what_a_restriction_leaves_is_named(fakes: Fakes, owner: User) -> None:
    model = replace(
        A_MODEL,
        restrictions=(
            Restriction(resolutions=("1080p",), durations=(8, 9)),
            Restriction(modes=frozenset({Mode.IMAGE}), resolutions=("480p",)),
        ),
    )
    with pytest.raises(InvalidRequest) as length:
        completed(owner, model, resolution="1080p")
    assert length.value.details["offered"] == [8, 9]
    with pytest.raises(InvalidRequest) as size:
        completed(owner, model, resolution="480p", start_image=IMAGE)
    assert size.value.details["offered"] == ["720p", "1080p"]


@pytest.mark.parametrize(
    ("changes", "controls", "seconds", "minimum"),
    [
        ({}, {}, "8.4", None),
        ({"source_sets_length": True}, {}, "5.5", None),
        ({"source_sets_length": True}, {}, "5.6", 6),
        ({"source_sets_length": True}, {}, "8", 8),
        ({"source_sets_length": True}, {"task": "extend"}, "8", None),
        ({"source_sets_length": True}, {"task": "edit"}, "8", 8),
    ],
)
def test_a_source_that_is_longer_than_what_is_paid_for_is_refused(
    changes: dict[str, Any], controls: dict[str, Any], seconds: str, minimum: int | None
) -> None:
    request = GenerationRequest(
        model=FAKE,
        mode=Mode.VIDEO,
        prompt="",
        resolution="720p",
        ratio="16:9",
        duration_seconds=5,
        controls=controls,
    )
    model = replace(A_MODEL, **changes)
    check_source(model, request, None)
    if minimum is None:
        check_source(model, request, Decimal(seconds))
        return
    with pytest.raises(InvalidRequest) as caught:
        check_source(model, request, Decimal(seconds))
    assert (caught.value.code, caught.value.details["minimum"]) == ("shorter_than_source", minimum)


@given(
    restrictions=st.lists(
        st.builds(
            lambda modes, resolutions, durations: Restriction(
                modes=frozenset(modes), resolutions=resolutions, durations=durations
            ),
            st.sets(st.sampled_from(list(Mode)), min_size=1),
            st.none() | st.lists(st.sampled_from(A_MODEL.resolutions)),
            st.lists(st.integers(1, 10)),
        ),
        max_size=4,
    ),
    mode=st.sampled_from(list(Mode)),
    resolution=st.sampled_from(A_MODEL.resolutions),
)
def test_a_length_is_made_where_every_restriction_that_covers_it_has_it(
    restrictions: list[Restriction], mode: Mode, resolution: str
) -> None:
    model = replace(A_MODEL, restrictions=tuple(restrictions))
    for length in model.durations:
        allowed = all(length in one.durations for one in restrictions if one.covers(mode, resolution))
        assert (length in model.durations_for(mode, resolution)) is allowed
