"""A question with a video: uploaded, waited for, asked about, deleted."""

import time
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from providers.catalogue.language import LANGUAGE_MODELS
from providers.errors import UnsupportedFeature
from providers.language.contract import Question, Usage, Video
from providers.language.errors import (
    BadAnswer,
    ContentRefused,
    CredentialsRefused,
    LanguageError,
    ModelGone,
    RateLimited,
    RequestRefused,
    Truncated,
    Unavailable,
)
from tests.vendors import CutOff, Drip, Failure, Gemini, Groq, HangUp, Raw, Silence, Words, Xai, huge

from .vendors import GEMINI, GROQ, PICTURE, PLAN, XAI, Plan, question

FACT = GEMINI.fact


@pytest.fixture
def film(tmp_path: Path) -> Path:
    path = tmp_path / "film.mp4"
    path.write_bytes(bytes(range(256)) * 100)
    return path


def about(film: Path, **more: Any) -> Question:
    return replace(
        question("What happens?", **more), video=Video(path=film, media_type="video/mp4", seconds=20)
    )


def ask(gemini: Gemini, asked: Question, *, on_text: Callable[[str], None] | None = None, **more: Any) -> Any:
    return GEMINI.adapter(gemini, poll_seconds=0.01, **more).ask(FACT, asked, on_text=on_text)


def test_a_video_is_asked_about_and_deleted(gemini: Gemini, film: Path) -> None:
    gemini.answers(
        Words(
            text=PLAN,
            thought="Hm.",
            input_tokens=2390,
            cached_tokens=90,
            output_tokens=310,
            thinking_tokens=95,
        )
    )

    answer = ask(gemini, about(film))

    assert Plan.model_validate_json(answer.text).shots
    assert answer.usage == Usage(input_tokens=2390, cached_tokens=90, output_tokens=405)
    assert answer.cost == Decimal("0.0032505")
    assert answer.model == "gemini-3.8-flash"
    assert answer.request_id
    assert not gemini.files


@pytest.mark.parametrize("size", [1, 8 << 20, (8 << 20) + 1])
def test_a_video_of_every_size_arrives_whole(film: Path, size: int) -> None:
    film.write_bytes((b"0123456789abcdef" * (size // 16 + 1))[:size])
    arrived: list[bytes] = []

    with Gemini() as gemini:

        def say(_: Any) -> str:
            arrived.extend(bytes(file.content) for file in gemini.files.values())
            return PLAN

        gemini.answers(say)
        ask(gemini, about(film))

    assert arrived == [film.read_bytes()]


def test_a_video_and_pictures_go_together(gemini: Gemini, film: Path) -> None:
    gemini.answers(PLAN)
    assert ask(gemini, about(film, pictures=[PICTURE])).usage.input_tokens > 560 + 1000


def test_an_answer_about_a_video_comes_in_one_piece(gemini: Gemini, film: Path) -> None:
    gemini.answers(PLAN)
    pieces: list[str] = []

    ask(gemini, about(film), on_text=pieces.append)

    assert pieces == [PLAN]


def test_the_wait_lasts_until_the_video_is_ready(film: Path) -> None:
    with Gemini(processing=5) as gemini:
        gemini.answers(PLAN)
        assert ask(gemini, about(film)).text == PLAN


def test_a_video_that_is_never_ready_ends_the_call(film: Path) -> None:
    with Gemini(processing=1_000_000) as gemini:
        begun = time.monotonic()
        with pytest.raises(Unavailable) as caught:
            ask(gemini, about(film), video_seconds=0.5)
        assert caught.value.code == "timeout"
        assert time.monotonic() - begun < 2
        assert not gemini.files


def test_a_video_that_cannot_be_read_is_refused(film: Path) -> None:
    with Gemini(video="FAILED") as gemini:
        with pytest.raises(RequestRefused) as caught:
            ask(gemini, about(film))
        assert caught.value.code == "video_unreadable"
        assert not gemini.files


FAULTS: dict[str, tuple[Any, type[LanguageError], str | None]] = {
    "garbage": (Raw(b"garbage"), BadAnswer, "unreadable"),
    "a list": (Raw(b"[]"), BadAnswer, "unreadable"),
    "nothing in it": (Raw(b"{}"), BadAnswer, "unreadable"),
    "half": (CutOff(), BadAnswer, "cut_off"),
    "20 MB": (None, BadAnswer, "too_large"),
    "closed": (HangUp(), Unavailable, "interrupted"),
    "500": (Failure(500), Unavailable, "INTERNAL"),
    "503": (Failure(503), Unavailable, "UNAVAILABLE"),
    "504": (Failure(504), Unavailable, "DEADLINE_EXCEEDED"),
    "402": (Failure(402), CredentialsRefused, "RESOURCE_EXHAUSTED"),
    "404": (Failure(404), ModelGone, "NOT_FOUND"),
    "429": (Failure(429, retry_after=3), RateLimited, "RESOURCE_EXHAUSTED"),
    "400": (Failure(400), RequestRefused, "INVALID_ARGUMENT"),
    "blocked": (
        Words(text="", refusal=True, finish="PROHIBITED_CONTENT"),
        ContentRefused,
        "PROHIBITED_CONTENT",
    ),
    "safety": (Words(text="", finish="SAFETY"), ContentRefused, "SAFETY"),
    "image safety": (Words(text="", finish="IMAGE_SAFETY"), ContentRefused, "IMAGE_SAFETY"),
    "recitation": (Words(text="", finish="RECITATION"), BadAnswer, "RECITATION"),
    "unknown end": (Words(text=PLAN, finish="FULL_MOON"), BadAnswer, "FULL_MOON"),
    "truncated": (Words(text="", finish="MAX_TOKENS"), Truncated, "MAX_TOKENS"),
    "only thoughts": (Words(text="", thought="Hm."), BadAnswer, "empty"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_ends_in_its_error_and_the_video_is_deleted(gemini: Gemini, film: Path, fault: str) -> None:
    said, error, code = FAULTS[fault]
    gemini.answers(huge() if said is None else said)

    with pytest.raises(LanguageError) as caught:
        ask(gemini, about(film))

    assert type(caught.value) is error
    assert caught.value.code == code
    assert not gemini.files


@pytest.mark.parametrize("finish", ["SAFETY", "MAX_TOKENS", "RECITATION"])
def test_an_error_carries_what_it_cost(gemini: Gemini, film: Path, finish: str) -> None:
    gemini.answers(Words(text="", finish=finish, input_tokens=1000, output_tokens=0, thinking_tokens=100))

    with pytest.raises(LanguageError) as caught:
        ask(gemini, about(film))
    assert caught.value.cost == Decimal("0.001125")
    assert caught.value.request_id


@pytest.mark.parametrize("said", [Silence(), Drip(seconds_a_byte=0.1)], ids=["silence", "drip"])
def test_a_call_ends_when_its_time_is_up(gemini: Gemini, film: Path, said: Any) -> None:
    gemini.answers(said)
    begun = time.monotonic()

    with pytest.raises(Unavailable) as caught:
        ask(gemini, about(film), seconds=0.8)
    assert caught.value.code == "timeout"
    assert time.monotonic() - begun < 3


def test_a_wrong_key_is_refused(gemini: Gemini, film: Path) -> None:
    with pytest.raises(CredentialsRefused):
        ask(gemini, about(film), key="wrong-key-0123456789")


def test_a_video_is_priced_from_the_model_that_answered(film: Path) -> None:
    with Gemini(rerouted=True) as gemini:
        gemini.answers(PLAN)
        model = LANGUAGE_MODELS["gemini/gemini-2.5-flash"]
        answer = GEMINI.adapter(gemini, poll_seconds=0.01).ask(model, about(film))
    assert answer.model == "gemini-3.5-flash-lite"
    assert answer.cost == LANGUAGE_MODELS["gemini/gemini-3.5-flash-lite"].cost(answer.usage)


def test_others_take_no_video(groq: Groq, xai: Xai, film: Path) -> None:
    with pytest.raises(UnsupportedFeature):
        GROQ.adapter(groq).ask(GROQ.fact, about(film))
    with pytest.raises(UnsupportedFeature):
        XAI.adapter(xai).ask(XAI.fact, about(film))
    assert not groq.requests
    assert not xai.requests
