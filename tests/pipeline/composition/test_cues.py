"""Captions as people read them."""

import re
from itertools import pairwise

import pytest

from pipeline.media.composition.cues import Cue, cues_of, srt, webvtt
from pipeline.media.composition.timeline import Caption, Clip, Format, TimedWord, Timeline

UPRIGHT = Format(width=1080, height=1920)
LONG = (
    "The quick brown fox jumps over the lazy dog. Then it sleeps in the sun, "
    "dreams of the dog that it jumped over this morning, and wakes up much later."
)


def film_of(*captions: Caption, frames: int = 600) -> Timeline:
    return Timeline(format=UPRIGHT, clips=(Clip(id="one", digest="one", frames=frames),), captions=captions)


def caption(text: str, start: float = 0.0, end: float = 10.0, words: tuple[TimedWord, ...] = ()) -> Caption:
    return Caption(text=text, start_seconds=start, end_seconds=end, words=words)


def test_a_long_caption_becomes_cues_of_two_short_lines_at_most() -> None:
    cues = cues_of(film_of(caption(LONG)))
    assert len(cues) >= 3
    for cue in cues:
        lines = cue.text.split("\n")
        assert len(lines) <= 2
        assert all(0 < len(line) <= 32 for line in lines)
    assert " ".join(cue.text.replace("\n", " ") for cue in cues) == LONG


def test_cues_follow_one_another_from_the_captions_beginning_to_its_end() -> None:
    cues = cues_of(film_of(caption(LONG, 2.0, 12.0)))
    assert cues[0].start_seconds == 2.0
    assert cues[-1].end_seconds == 12.0
    for cue, following in pairwise(cues):
        assert cue.start_seconds < cue.end_seconds <= following.start_seconds


def test_cues_begin_and_end_with_the_words_that_are_heard() -> None:
    words = tuple(
        TimedWord(text=text, start_seconds=start, end_seconds=start + 0.4)
        for text, start in zip(
            ["Wait for the longest word", "and for another of them.", "Silence", "ends here."],
            [1.0, 1.5, 5.0, 5.5],
            strict=True,
        )
    )
    cues = cues_of(film_of(caption("as they are", 1.0, 6.0, words)))
    assert [(cue.start_seconds, cue.end_seconds) for cue in cues] == [(1.0, pytest.approx(1.9)), (5.0, 6.0)]


@pytest.mark.parametrize(
    "text", ["這是一個很長的句子沒有空格" * 4, "สวัสดีชาวโลกภาษาไทยนี้ยาวมาก" * 4, "W" * 120]
)
def test_a_script_without_blanks_is_cut_between_letters_and_nothing_is_lost(text: str) -> None:
    cues = cues_of(film_of(caption(text)))
    assert len(cues) >= 2
    assert "".join(cue.text.replace("\n", "") for cue in cues) == text
    # A mark stays with its letter.
    assert not any(
        re.match("[\u0e31\u0e34-\u0e3a\u0e47-\u0e4e]", line) for cue in cues for line in cue.text.split("\n")
    )


def test_a_caption_gives_way_to_the_next_and_ends_with_the_film() -> None:
    cues = cues_of(film_of(caption("one", 1, 5), caption("two", 3, 99), caption("late", 50, 60), frames=300))
    assert [(cue.text, cue.start_seconds, cue.end_seconds) for cue in cues] == [("one", 1, 3), ("two", 3, 10)]


def test_files_beside_the_film_say_the_same_and_nothing_in_a_text_is_their_markup() -> None:
    cues = [
        Cue(text="<b>1 & 2</b> --> 3\nsecond", start_seconds=0.5, end_seconds=61.25),
        Cue(text="end", start_seconds=3661.0, end_seconds=3662.0),
    ]
    assert webvtt(cues) == (
        "WEBVTT\n\n"
        "00:00:00.500 --> 00:01:01.250\n&lt;b&gt;1 &amp; 2&lt;/b&gt; --&gt; 3\nsecond\n\n"
        "01:01:01.000 --> 01:01:02.000\nend\n"
    )
    assert srt(cues) == (
        "1\n00:00:00,500 --> 00:01:01,250\n<b>1 & 2</b> → 3\nsecond\n\n"
        "2\n01:01:01,000 --> 01:01:02,000\nend\n"
    )
