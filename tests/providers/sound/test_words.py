"""Words and their times, whatever the text is written in."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.sound import words


def aligned(text: str | list[str], *, letter: float = 0.1) -> dict[str, Any]:
    characters = list(text)
    return {
        "characters": characters,
        "character_start_times_seconds": [letter * n for n in range(len(characters))],
        "character_end_times_seconds": [letter * (n + 1) for n in range(len(characters))],
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hi there.", ["Hi", "there."]),
        ("  Two\nlines\t— here ", ["Two", "lines", "—", "here"]),
        ("“Well,” she said…", ["“Well,”", "she", "said…"]),
        ("Ça coûte 3,50 €!", ["Ça", "coûte", "3,50", "€!"]),
        ("a no\N{NO-BREAK SPACE}break\N{IDEOGRAPHIC SPACE}wide", ["a", "no", "break", "wide"]),
        ("Grüße 👩‍👩‍👧 🇫🇷 ok", ["Grüße", "👩‍👩‍👧", "🇫🇷", "ok"]),
        ("水の都へ ようこそ", ["水の都へ", "ようこそ"]),
        ("مرحبا بالعالم", ["مرحبا", "بالعالم"]),
        ("cafe\N{COMBINING ACUTE ACCENT} x", ["cafe\N{COMBINING ACUTE ACCENT}", "x"]),
    ],
)
def test_a_word_is_what_stands_between_spaces_and_lasts_from_its_first_letter_to_its_last(
    text: str, expected: list[str]
) -> None:
    found = words.from_characters(aligned(text))

    assert [word.text for word in found] == expected == text.split()
    for word in found:
        begin = text.index(word.text)
        assert word.start_seconds == pytest.approx(0.1 * begin)
        assert word.end_seconds == pytest.approx(0.1 * (begin + len(word.text)))


def test_an_emoji_in_halves_is_put_together() -> None:
    found = words.from_characters(aligned(["a", " ", "\ud83d", "\ude42", "!"]))
    assert [word.text for word in found] == ["a", "🙂!"]
    lonely = words.from_characters(aligned(["\ud83d", "!"]))
    assert lonely[0].text.encode() == "\N{REPLACEMENT CHARACTER}!".encode()


def test_an_emoji_of_several_letters_may_come_as_one() -> None:
    found = words.from_characters(aligned(["o", "k", " ", "👩‍👩‍👧"]))
    assert [word.text for word in found] == ["ok", "👩‍👩‍👧"]


def test_times_that_go_back_are_held() -> None:
    alignment = aligned("ab cd")
    alignment["character_start_times_seconds"] = [0.0, 0.5, 0.4, 0.2, 0.6]
    alignment["character_end_times_seconds"] = [0.5, 0.7, 0.5, 0.3, 0.9]

    first, second = words.from_characters(alignment)

    assert (first.start_seconds, first.end_seconds) == (0.0, 0.7)
    assert (second.start_seconds, second.end_seconds) == (0.7, 0.9)


@pytest.mark.parametrize(
    "alignment",
    [
        None,
        {},
        [],
        {**aligned("Hi"), "character_end_times_seconds": [0.1]},
        {**aligned("Hi"), "character_start_times_seconds": [0.0, None]},
        {**aligned("Hi"), "character_start_times_seconds": [0.0, math.nan]},
        {**aligned("Hi"), "character_end_times_seconds": [0.1, math.inf]},
        {**aligned("Hi"), "character_start_times_seconds": [-1.0, 0.0]},
        {**aligned("Hi"), "character_start_times_seconds": [False, True]},
        {**aligned("Hi"), "characters": [1, 2]},
        aligned(""),
        aligned("   "),
    ],
)
def test_times_that_make_no_sense_are_none(alignment: object) -> None:
    with pytest.raises(words.NoTimes):
        words.from_characters(alignment)


@given(st.text(min_size=1), st.floats(0.1, 600))
def test_words_without_times_fill_the_sound_in_order(text: str, seconds: float) -> None:
    spread = words.evenly(text, seconds)

    assert [word.text for word in spread] == text.split()
    at = 0.0
    for word in spread:
        assert at <= word.start_seconds <= word.end_seconds
        at = word.end_seconds
    if spread:
        assert spread[0].start_seconds == 0
        assert spread[-1].end_seconds == pytest.approx(seconds, abs=0.001)


def test_a_longer_word_without_times_lasts_longer() -> None:
    short, long = words.evenly("a harbour", 9.0)
    assert (short.start_seconds, short.end_seconds) == (0.0, 1.0)
    assert (long.start_seconds, long.end_seconds) == (2.0, 9.0)
