"""Words on the picture: every script, in its place and at its time, and never more than words."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pipeline.media.composition.lettering import area_of
from pipeline.media.composition.timeline import Caption, Clip, Format, Text
from pipeline.media.composition.vocabulary import Animation, Position, TransitionKind

from .films import Pictures, Workshop, luma, planes, timeline_of

UPRIGHT = Format(width=270, height=480, preset="ultrafast", crf=8)
LYING = Format(width=480, height=270, preset="ultrafast", crf=8)
LIGHT = 100


def shown(
    workshop: Workshop, sources: dict[str, Path], *texts: Text, fmt: Format = UPRIGHT, frames: int = 4
) -> Pictures:
    """The frames of a clip that is even, with these texts on it."""
    clip = Clip(id="one", digest="even", frames=frames, texts=texts)
    return workshop.body(timeline_of(clip, fmt=fmt), clip, sources["even"])


def text(
    words: str,
    start: float = 0.0,
    end: float = 1.0,
    *,
    position: Position = Position.CENTRE,
    animation: Animation = Animation.NONE,
) -> Text:
    return Text(text=words, position=position, animation=animation, start_seconds=start, end_seconds=end)


def inked(picture: Pictures) -> NDArray[np.bool_]:
    """Where something is written."""
    ink: NDArray[np.bool_] = np.abs(picture.astype(int) - LIGHT) > 25
    return ink


def box(picture: Pictures) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of what is written; it must be something."""
    rows, columns = np.flatnonzero(inked(picture).any(axis=1)), np.flatnonzero(inked(picture).any(axis=0))
    assert len(rows), "nothing is written"
    return int(columns[0]), int(rows[0]), int(columns[-1]), int(rows[-1])


def in_turn(workshop: Workshop, sources: dict[str, Path], *words: str) -> list[Pictures]:
    """A picture of each of these words, alone."""
    texts = [text(one, number / 30, (number + 1) / 30) for number, one in enumerate(words)]
    return list(shown(workshop, sources, *texts, frames=len(words)))


@pytest.mark.parametrize(
    "words",
    [
        # Two that differ, in each script.
        ("Ag", "Wq"),
        ("Жя", "Юд"),
        ("Ωλ", "Σψ"),
        ("سلام", "عالم"),
        ("שלום", "תודה"),
        ("नमस्ते", "दुनिया"),
        ("বাংলা", "ভাষা"),
        ("தமிழ்", "மொழி"),
        ("สวัสดี", "ชาวโลก"),
        ("你好", "世界"),
        ("こん", "カナ"),
        ("안녕", "세계"),
        ("😀", "🎬"),
    ],
    ids=lambda words: words[0],
)
def test_each_script_is_written_in_letters_of_its_own(
    workshop: Workshop, sources: dict[str, Path], words: tuple[str, str]
) -> None:
    # A letter that no font has is a box: as many of them as there are in the words.
    boxes = ["\u0378" * len(word) for word in words]
    pictures = in_turn(workshop, sources, *words, *boxes, "\u0378")
    inks = [inked(picture) for picture in pictures]
    assert all(ink.sum() > 60 for ink in inks)
    for ink in inks[:2]:
        assert all((ink ^ other).sum() > 40 for other in inks[2:])
    assert (inks[0] ^ inks[1]).sum() > 40


def test_arabic_is_shaped_and_reads_from_the_right(workshop: Workshop, sources: dict[str, Path]) -> None:
    together, apart, first, mixed = in_turn(workshop, sources, "ببب", "ب\u200cب\u200cب", "ا", "ا بببببب")
    # Letters that are joined take less room than the same ones alone.
    assert box(together)[2] - box(together)[0] < 0.85 * (box(apart)[2] - box(apart)[0])
    # Its first letter, an upright line, stands at the right end.
    left, _, right, _ = box(mixed)
    tallest = np.flatnonzero(inked(mixed)[: box(first)[1] + 4].any(axis=0))
    assert tallest.min() > left + 0.75 * (right - left)


HOSTILE = [
    "{\\b1\\fs200}big",
    "{\\pos(0,0)}a",
    "{\\p1}m 0 0 l 200 0 200 400 0 400{\\p0}",
    "a\\N\\N\\N\\N\\Nb",
    "a\\hb",
    "{comment} text",
    "}{",
    "\\{\\alpha&HFF&}x",
    "\\\\{\\an7}x",
    "x',fontsize=99:text='y",
    "a:b,c;d[e]f'g\"h%{pts}",
    "%{localtime} %x %%",
    "a\r\nDialogue: 9,0:00:00.00,9:00:00.00,Text,,0,0,0,,{\\an7}INJECTED",
    "a\x00b\x1b[31m",
    "<b>x</b>&amp;",
]  # fmt: skip


def test_a_hostile_text_is_seen_as_it_was_written(workshop: Workshop, sources: dict[str, Path]) -> None:
    """All of it has ink, in one place, in lines of the text's own height: none of it is taken for a tag."""
    texts = [
        text(one, number / 30, (number + 1) / 30, position=Position.CENTRE)
        for number, one in enumerate(HOSTILE)
    ]
    pictures = shown(workshop, sources, *texts, frames=len(HOSTILE))
    area = area_of(UPRIGHT)
    for words, picture in zip(HOSTILE, pictures, strict=True):
        left, top, right, bottom = box(picture)
        visible = sum(not one.isspace() and one.isprintable() for one in words)
        # Every letter that is to be seen is: each has ink, and in lines as high as the text's own.
        assert inked(picture).sum() > 12 * visible, words
        assert left >= area.left - 3, words
        assert right <= area.right + 3, words
        middle = (area.top + area.bottom) / 2
        assert abs((top + bottom) / 2 - middle) < 20, words
        assert bottom - top < 130, words


def test_a_brace_and_a_backslash_are_letters_and_what_they_enclose_is_seen(
    workshop: Workshop, sources: dict[str, Path]
) -> None:
    tag, other, plain, shy, line = in_turn(workshop, sources, "{\\b0}x", "(/b0)x", "x", "a\\Nb", "a/Nb")
    widths = [box(picture)[2] - box(picture)[0] for picture in (tag, other, plain, shy, line)]
    assert widths[0] == pytest.approx(widths[1], abs=8)
    assert widths[0] > 3 * widths[2]
    # One line, as wide as the same with another sign.
    assert widths[3] == pytest.approx(widths[4], abs=4)
    assert box(shy)[3] - box(shy)[1] == pytest.approx(box(line)[3] - box(line)[1], abs=4)


@pytest.mark.parametrize("fmt", [UPRIGHT, LYING], ids=["upright", "lying"])
def test_each_position_is_where_its_name_says_and_inside_the_safe_area(
    workshop: Workshop, sources: dict[str, Path], fmt: Format
) -> None:
    texts = [
        text("Word", number / 30, (number + 1) / 30, position=position)
        for number, position in enumerate(Position)
    ]
    pictures = shown(workshop, sources, *texts, fmt=fmt, frames=len(texts))
    area = area_of(fmt)
    for position, picture in zip(Position, pictures, strict=True):
        left, top, right, bottom = box(picture)
        column = 0 if "left" in position else 2 if "right" in position else 1
        row = 0 if "top" in position else 2 if "bottom" in position else 1
        assert int(3 * (left + right) / 2 / fmt.width) == column, position
        assert int(3 * ((top + bottom) / 2 - area.top) / (area.bottom - area.top)) == row, position
        assert area.left - 3 <= left <= right <= area.right + 3
        assert area.top - 3 <= top <= bottom <= area.bottom + 3
    if fmt is UPRIGHT:
        assert area.caption_bottom <= 0.82 * fmt.height


@pytest.mark.parametrize(
    "words",
    [
        "W" * 90,
        "word " * 60,
        "這是一個很長的句子" * 12,
        "สวัสดีชาวโลก" * 14,
        "😀" * 60,
        "नमस्ते" * 30,
        "A\n" * 30,
    ],
    ids=["one word", "words", "chinese", "thai", "emoji", "hindi", "lines"],
)
@pytest.mark.parametrize("position", [Position.TOP_LEFT, Position.BOTTOM])
def test_a_text_that_is_too_long_is_broken_and_made_smaller_and_stays_in_the_picture(
    workshop: Workshop, sources: dict[str, Path], words: str, position: Position
) -> None:
    picture = shown(workshop, sources, text(words, position=position), frames=2)[0]
    area = area_of(UPRIGHT)
    left, top, right, bottom = box(picture)
    assert area.left - 3 <= left <= right <= area.right + 3
    assert area.top - 4 <= top <= bottom <= area.bottom + 4


def test_a_text_is_there_from_its_first_frame_to_its_last_and_no_longer(
    workshop: Workshop, sources: dict[str, Path]
) -> None:
    pictures = shown(workshop, sources, text("Word", 7 / 30, 12 / 30), frames=20)
    assert [number for number, picture in enumerate(pictures) if inked(picture).any()] == list(range(7, 12))


def ink_over_time(
    workshop: Workshop, sources: dict[str, Path], animation: Animation, words: str = "Many words here"
) -> tuple[Pictures, list[int]]:
    pictures = shown(workshop, sources, text(words, 0.0, 2.0, animation=animation), frames=60)
    return pictures, [int(inked(picture).sum()) for picture in pictures]


def test_a_text_fades_in_and_out(workshop: Workshop, sources: dict[str, Path]) -> None:
    pictures, _ = ink_over_time(workshop, sources, Animation.FADE)
    brightest = [int(picture.max()) for picture in pictures]
    assert brightest[0] < 140 < brightest[4] < 220 < brightest[12]
    assert brightest[59] < 140 < brightest[55] < 220 < brightest[45]


def test_a_text_slides_to_its_place_and_stays_there(workshop: Workshop, sources: dict[str, Path]) -> None:
    pictures, _ = ink_over_time(workshop, sources, Animation.SLIDE)
    tops = [box(pictures[number])[1] for number in (5, 9, 14, 30, 50)]
    assert tops[0] > tops[1] + 1 > tops[2] + 1
    assert tops[2] == tops[3] == tops[4]


def test_a_text_is_typed_letter_by_letter_and_nothing_moves(
    workshop: Workshop, sources: dict[str, Path]
) -> None:
    pictures, inks = ink_over_time(workshop, sources, Animation.TYPEWRITER)
    grown = [inks[number] for number in (1, 6, 12, 20, 40)]
    assert grown == sorted(grown)
    assert len(set(grown)) >= 4
    assert inks[40] == inks[59]
    left = box(pictures[59])[0]
    assert all(box(pictures[number])[0] == pytest.approx(left, abs=1) for number in (2, 10, 30))


@pytest.mark.parametrize(
    "words",
    ["Fi office", "بالعالم العربي 123", "हिन्दी में क्षत्रिय", "ภาษาไทยน้ำ", "👍🏽❤️ 日本語", "a {\\b1} \\N b"],
)
@pytest.mark.parametrize("animation", [Animation.TYPEWRITER, Animation.KARAOKE])
def test_letters_that_come_one_by_one_are_those_of_the_whole_text_in_the_end(
    workshop: Workshop, sources: dict[str, Path], words: str, animation: Animation
) -> None:
    """Shapes, marks, and the order of a script from the right don't suffer from what is animated letter by letter."""
    texts = (text(words, 0, 0.5, animation=animation), text(words, 0.5, 1))
    pictures = shown(workshop, sources, *texts, frames=20)
    animated, plain = inked(pictures[14]), inked(pictures[16])
    assert plain.sum() > 200
    # Edges differ a little; letters in other places or shapes would be most of it.
    assert (animated ^ plain).sum() < 0.2 * plain.sum()


def test_words_light_up_one_after_the_other_each_for_its_share_of_the_time(
    workshop: Workshop, sources: dict[str, Path]
) -> None:
    clip = Clip(
        id="one", digest="even", frames=60, texts=(text("aaaa bbbb cccc", 0, 2, animation=Animation.KARAOKE),)
    )
    body, *_ = workshop.conform(timeline_of(clip, fmt=UPRIGHT), "one", sources["even"])
    every = planes(workshop.parts / body)
    height, width = UPRIGHT.height, UPRIGHT.width
    blue = every[:, height : height + height // 4].reshape(60, height // 2, width // 2).astype(int)
    # Words that are lit are yellow, the others white.
    lit = [int((picture < 100).sum()) for picture in blue]
    whole = lit[59]
    assert whole > 50
    for number, share in ((5, 1 / 3), (30, 2 / 3), (55, 1.0)):
        assert lit[number] == pytest.approx(share * whole, abs=0.12 * whole)


def test_a_caption_stands_still_across_a_join(workshop: Workshop, sources: dict[str, Path]) -> None:
    timeline = timeline_of(
        Clip(id="one", digest="even", frames=20),
        Clip(id="two", digest="even", frames=20, transition=TransitionKind.FADE, overlap=8),
        fmt=UPRIGHT,
        captions=(Caption(text="Spoken words", start_seconds=0.2, end_seconds=0.9),),
    )
    pictures = luma(workshop.film(timeline, sources).film)
    assert [number for number, picture in enumerate(pictures) if inked(picture).any()] == list(range(6, 27))
    first = pictures[6].astype(int)
    for picture in pictures[7:27]:
        assert np.abs(picture - first).mean() < 0.5
    area = area_of(UPRIGHT)
    left, top, right, bottom = box(pictures[15])
    assert bottom <= 0.82 * UPRIGHT.height
    # Texts at the bottom stand above it.
    assert top >= area.bottom - 3
    assert (left + right) / 2 == pytest.approx(UPRIGHT.width / 2, abs=4)


def test_captions_that_are_not_burned_are_beside_the_film_alone(
    workshop: Workshop, sources: dict[str, Path]
) -> None:
    timeline = timeline_of(
        Clip(id="one", digest="even", frames=20),
        fmt=UPRIGHT,
        burn_captions=False,
        captions=(Caption(text="Spoken words", start_seconds=0.2, end_seconds=0.6),),
    )
    film = workshop.film(timeline, sources)
    assert not any(inked(picture).any() for picture in luma(film.film))
    assert film.vtt is not None
    assert film.srt is not None
    assert "00:00:00.200 --> 00:00:00.600\nSpoken words" in film.vtt.read_text()
    assert "00:00:00,200 --> 00:00:00,600\nSpoken words" in film.srt.read_text()
    assert film.poster.read_bytes()[:2] == b"\xff\xd8"
