"""Every price of the rate cards that a new installation starts with, and the rules they follow."""

from dataclasses import fields, replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credits import card_table, rate_cards
from credits.errors import NoPrice
from credits.models import Modifier
from credits.pricing import Card, Price, PriceRequest, half_up, price

ALL = frozenset(Modifier.values)
USD = Fraction(16_500, 50)


def request(seconds: Decimal | int, default: int | None = None, **asked: Any) -> PriceRequest:
    return PriceRequest(duration_seconds=seconds, default_duration_seconds=default or int(seconds), **asked)


def card(**changes: Any) -> Card:
    facts: dict[str, Any] = {
        "id": 1,
        "subject": "vendor/model",
        "version": 1,
        "credits_per_currency_unit": USD,
    }
    return Card(**{**facts, **changes})


def seeded(subject: str) -> Card:
    return rate_cards.card_of(card_table.CARDS[subject].row(subject, version=1, operator_id=None))


def parts(answer: Price) -> list[tuple[str, int]]:
    return [(part.label, part.credits) for part in answer.parts]


@pytest.mark.parametrize(
    ("subject", "seconds", "base"),
    [
        ("modelslab/veo-3", 8, 2500),
        ("modelslab/veo-2", 8, 2200),
        ("modelslab/text-to-video-ultra", 8, 1300),
        ("modelslab/wan-2.2-t2v", 10, 1200),
        ("modelslab/seedance-t2v", 5, 400),
        ("edenai/runway-gen-3", 10, 750),
        ("edenai/kling-2.5", 5, 500),
        ("edenai/nova-reel", 6, 400),
        ("luma/ray-2", 5, 20),
        ("kie/sora-2-text-to-video", 10, 100),
        ("kie/sora-2-image-to-video", 10, 100),
        ("sandbox/motion-1", 5, 100),
    ],
)
def test_720p_at_the_default_duration_costs_the_base(subject: str, seconds: int, base: int) -> None:
    answer = price(seeded(subject), request(seconds))
    assert (answer.total, parts(answer)) == (base, [("base", base)])


def test_veo_3_at_1080p_for_16_seconds() -> None:
    answer = price(seeded("modelslab/veo-3"), request(16, 8, resolution="1080p"))
    assert parts(answer) == [("base", 2500), ("resolution", 750), ("duration", 2000)]
    assert answer.total == 5250


def test_kling_with_a_start_image_at_1080p_for_10_seconds() -> None:
    answer = price(seeded("edenai/kling-2.5"), request(10, 5, resolution="1080p", start_image=True))
    assert sorted(parts(answer)) == [
        ("base", 500),
        ("duration", 250),
        ("resolution", 150),
        ("start_image", 100),
    ]
    assert answer.total == 1000


@pytest.mark.parametrize(
    ("resolution", "audio", "total"), [("1080p", False, 3250), ("1080p", True, 3260), ("720p", False, 2500)]
)
def test_veo_3_for_8_seconds(resolution: str, audio: bool, total: int) -> None:
    assert price(seeded("modelslab/veo-3"), request(8, resolution=resolution, audio=audio)).total == total


@pytest.mark.parametrize("seconds", [5, 7, 10])
@pytest.mark.parametrize(("resolution", "credits"), [("720p", 20), ("1080p", 30), ("4K", 50), ("540p", 20)])
def test_luma_is_one_table_whatever_the_duration(seconds: int, resolution: str, credits: int) -> None:
    answer = price(
        seeded("luma/ray-2"),
        request(
            seconds, 5, resolution=resolution, start_image=True, end_image=True, audio=True, enhance=True
        ),
    )
    assert answer.total == credits


@pytest.mark.parametrize(
    ("style", "credits"), [("cinematic", 10), ("artistic", 5), ("commercial", 0), ("realistic", 0)]
)
def test_luma_charges_for_some_styles_and_lists_the_others_at_0(style: str, credits: int) -> None:
    answer = price(seeded("luma/ray-2"), request(5, style=style))
    assert parts(answer) == [("base", 20), ("style", credits)]


@pytest.mark.parametrize(
    "asked",
    [request(11, 5), request(5, resolution="8K"), request(5, resolution="1440p"), request(5, style="noir")],
)
def test_what_lumas_table_lacks_has_no_price(asked: PriceRequest) -> None:
    with pytest.raises(NoPrice):
        price(seeded("luma/ray-2"), asked)


def test_kie_is_flat_and_lists_what_it_does_not_charge_at_0() -> None:
    answer = price(
        seeded("kie/sora-2-image-to-video"),
        request(15, 10, resolution="1080p", start_image=True, audio=True, enhance=True, style="noir"),
    )
    assert answer.total == 100
    assert parts(answer)[1:] == [
        ("resolution", 0), ("duration", 0), ("start_image", 0), ("style", 0), ("audio", 0), ("enhance", 0),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "extra"),
    [
        ({"resolution": "1080p"}, 300),
        ({"resolution": "4K"}, 1000),
        ({"resolution": "4k"}, 1000),
        ({"start_image": True}, 200),
        ({"end_image": True}, 300),
        ({"start_image": True, "end_image": True}, 400),
        ({"audio": True}, 10),
        ({"enhance": True}, 5),
        ({"resolution": "480p"}, 0),
        ({"style": "cinematic"}, 0),
    ],
)
def test_a_modifier_adds_its_share(asked: dict[str, Any], extra: int) -> None:
    answer = price(card(base_credits=1000, modifiers=ALL), request(5, **asked))
    assert answer.total == 1000 + extra
    assert len(answer.parts) == 2


@pytest.mark.parametrize(
    ("seconds", "extra"),
    [(6, 100), (10, 500), (Decimal("7.5"), 250), (5, 0), (3, 0), (Decimal("4.9"), 0), (60, 5500)],
)
def test_extra_seconds_cost_pro_rata_and_a_shorter_clip_the_base(seconds: Decimal | int, extra: int) -> None:
    assert price(card(base_credits=1000, modifiers=ALL), request(seconds, 5)).total == 1000 + extra


@pytest.mark.parametrize(
    ("base", "extra"), [(1, 0), (5, 2), (15, 5), (25, 8), (35, 11), (45, 14)]
)  # 30 %: 0.3, 1.5, 4.5, 7.5, 10.5, 13.5
def test_each_part_is_rounded_half_up(base: int, extra: int) -> None:
    assert price(card(base_credits=base, modifiers=ALL), request(5, resolution="1080p")).total == base + extra


def test_parts_are_rounded_one_by_one_and_not_their_sum() -> None:
    # 1.5 and 1: the sum, 2.5, would round to 3 as well; 1.5 and 0.5 would be 2.
    answer = price(card(base_credits=5, modifiers=ALL), request(6, 5, resolution="1080p"))
    assert parts(answer) == [("base", 5), ("resolution", 2), ("duration", 1)]


@pytest.mark.parametrize("resolution", ["1440p", "2160p", "8K", "hd", "", "0p", "720"])
def test_a_resolution_without_a_factor_has_no_price(resolution: str) -> None:
    with pytest.raises(NoPrice) as refusal:
        price(card(base_credits=1000, modifiers=ALL), request(5, resolution=resolution))
    assert refusal.value.details["factor"] == "resolution"


@pytest.mark.parametrize(
    ("unit", "asked", "total"),
    [
        # 0.05 USD x 3 x 16,500 / 50 = 49.5 a unit
        ("second", request(10), 495),
        ("second", request(3, 5), 149),
        ("call", request(10), 50),
        ("1000_characters", request(0, characters=2500), 124),
        ("1000_characters", request(0, characters=0), 0),
    ],
)
def test_the_rest_costs_the_vendors_price_times_the_markup(
    unit: str, asked: PriceRequest, total: int
) -> None:
    assert price(card(vendor_cost=Decimal("0.05"), vendor_unit=unit), asked).total == total


def test_a_vendors_cost_without_an_exchange_rate_is_no_price() -> None:
    with pytest.raises(NoPrice):
        price(card(vendor_cost=Decimal("0.05"), credits_per_currency_unit=None), request(5))


def test_a_price_names_its_card_and_its_factors() -> None:
    answer = price(
        card(id=42, base_credits=1000, modifiers=ALL, version=3), request(6, 5, resolution="1080p")
    )
    assert answer.card_id == 42
    assert answer.breakdown() == [
        {"label": "base", "credits": 1000, "factor": "vendor/model v3"},
        {"label": "resolution", "credits": 300, "factor": "+30 %"},
        {"label": "duration", "credits": 100, "factor": "+10 %"},
    ]


cards = st.builds(
    card,
    base_credits=st.integers(0, 100_000),
    modifiers=st.frozensets(st.sampled_from(sorted(ALL))),
) | st.builds(
    card,
    vendor_cost=st.decimals(0, 100, places=6),
    vendor_unit=st.sampled_from(["second", "call", "1000_characters"]),
    modifiers=st.frozensets(st.sampled_from(sorted(ALL - {"duration"}))),
)
requests = st.builds(
    PriceRequest,
    duration_seconds=st.decimals("0.1", 600, places=3),
    default_duration_seconds=st.integers(1, 60),
    resolution=st.sampled_from(["480p", "720p", "1080p", "4K"]),
    start_image=st.booleans(),
    end_image=st.booleans(),
    audio=st.booleans(),
    enhance=st.booleans(),
    style=st.none() | st.just("noir"),
    characters=st.integers(0, 40_000),
)


@given(cards, requests)
def test_a_total_is_the_sum_of_parts_that_are_never_negative(by: Card, asked: PriceRequest) -> None:
    answer = price(by, asked)
    assert answer.total == sum(part.credits for part in answer.parts)
    assert all(type(part.credits) is int and part.credits >= 0 for part in answer.parts)


@given(cards, requests, st.decimals(0, 100, places=3))
def test_a_longer_clip_never_costs_less(by: Card, asked: PriceRequest, more: Decimal) -> None:
    longer = replace(asked, duration_seconds=Decimal(asked.duration_seconds) + more)
    assert price(by, longer).total >= price(by, asked).total


@given(cards, requests, st.sampled_from(["start_image", "end_image", "audio", "enhance"]))
def test_asking_for_more_never_costs_less(by: Card, asked: PriceRequest, what: str) -> None:
    facts = {each.name: getattr(asked, each.name) for each in fields(asked)}
    less, more = (PriceRequest(**{**facts, what: wanted}) for wanted in (False, True))
    assert price(by, more).total >= price(by, less).total


@given(st.fractions(0, 10_000))
def test_half_up_is_the_nearest_and_a_half_goes_up(amount: Fraction) -> None:
    rounded = half_up(amount)
    assert -Fraction(1, 2) < rounded - amount <= Fraction(1, 2)
