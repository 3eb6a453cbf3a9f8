"""Captions as people read them: short cues of at most two lines, for the picture and as WebVTT and SRT."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .letters import columns_of, has_no_blanks, letters_of
from .timeline import Caption, Format, TimedWord, Timeline

LINES = 2
# Letters in a line; those of East Asia are counted twice.
COLUMNS_UPRIGHT, COLUMNS = 30, 40
# Between cues that are nearer than this the first stays, so that nothing flickers.
SHORTEST_GAP_SECONDS = 0.3
_ENDS_SENTENCE = (".", "!", "?", "…", "。", "！", "？", "؟", "।")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cue:
    """What is read at one time, its lines apart; in seconds of the film."""

    text: str
    start_seconds: float
    end_seconds: float


def cues_of(timeline: Timeline) -> tuple[Cue, ...]:
    """All captions of the film in their order, none longer than the film; each gives way to the next."""
    captions = sorted(timeline.captions, key=lambda caption: caption.start_seconds)
    made: list[Cue] = []
    for number, caption in enumerate(captions):
        end = min(caption.end_seconds, timeline.seconds)
        if number + 1 < len(captions):
            end = min(end, captions[number + 1].start_seconds)
        made += _cues(caption, line_of(timeline.format), end)
    return tuple(made)


def line_of(fmt: Format) -> int:
    """How many columns a line has at most."""
    return COLUMNS_UPRIGHT if fmt.width < fmt.height else COLUMNS


def webvtt(cues: Sequence[Cue]) -> str:
    """A WebVTT file."""
    blocks = ["WEBVTT"]
    for cue in cues:
        text = cue.text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        blocks.append(f"{_time(cue.start_seconds, '.')} --> {_time(cue.end_seconds, '.')}\n{text}")
    return "\n\n".join(blocks) + "\n"


def srt(cues: Sequence[Cue]) -> str:
    """A SubRip file. It has no escapes: an arrow in a text is written with another sign."""
    return "\n".join(
        f"{number}\n{_time(cue.start_seconds, ',')} --> {_time(cue.end_seconds, ',')}\n"
        f"{cue.text.replace('-->', '→')}\n"
        for number, cue in enumerate(cues, 1)
    )


def _time(seconds: float, point: str) -> str:
    milliseconds = round(seconds * 1000)
    return (
        f"{milliseconds // 3_600_000:02}:{milliseconds // 60_000 % 60:02}:{milliseconds // 1000 % 60:02}"
        f"{point}{milliseconds % 1000:03}"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Piece:
    """A word, or a part of one that is longer than a line; `space`: between it and the one before."""

    text: str
    start_seconds: float
    end_seconds: float
    space: str


def _cues(caption: Caption, columns: int, end: float) -> Iterator[Cue]:
    groups = _grouped(list(_pieces(caption, columns)), columns)
    for number, group in enumerate(groups):
        start = caption.start_seconds if number == 0 else group[0].start_seconds
        stop = end
        if number + 1 < len(groups):
            stop, following = group[-1].end_seconds, groups[number + 1][0].start_seconds
            stop = following if following - stop < SHORTEST_GAP_SECONDS else stop
        stop = min(stop, end)
        if stop > start:
            text = "\n".join(_joined(line) for line in _lines(group, columns))
            yield Cue(text=text, start_seconds=start, end_seconds=stop)


def _pieces(caption: Caption, columns: int) -> Iterator[_Piece]:
    before = ""
    for word in caption.words or _spread(caption):
        # A blank between words, but not between those of scripts that have none.
        space = " " if before and not (has_no_blanks(before[-1]) and has_no_blanks(word.text[:1])) else ""
        pieces = _cut(word.text.strip(), columns)
        step = (word.end_seconds - word.start_seconds) / max(1, len(pieces))
        for number, piece in enumerate(pieces):
            yield _Piece(
                text=piece,
                start_seconds=word.start_seconds + number * step,
                end_seconds=word.start_seconds + (number + 1) * step,
                space="" if number else space,
            )
            before = piece


def _spread(caption: Caption) -> tuple[TimedWord, ...]:
    """Its words, each for as long as it is of the whole: nobody said when they are heard."""
    words = caption.text.split()
    letters = sum(map(len, words))
    seconds = caption.end_seconds - caption.start_seconds
    made, so_far = [], 0
    for word in words:
        begin, so_far = so_far, so_far + len(word)
        made.append(
            TimedWord(
                text=word,
                start_seconds=caption.start_seconds + seconds * begin / letters,
                end_seconds=caption.start_seconds + seconds * so_far / letters,
            )
        )
    return tuple(made)


def _cut(word: str, columns: int) -> list[str]:
    """Into pieces that have room in a line, between letters, and are about as long as one another."""
    whole = columns_of(word)
    columns = math.ceil(whole / max(1, math.ceil(whole / columns)))
    pieces = [""]
    for letter in letters_of(word):
        if pieces[-1] and columns_of(pieces[-1] + letter) > columns:
            pieces.append("")
        pieces[-1] += letter
    return [piece for piece in pieces if piece]


def _grouped(pieces: Sequence[_Piece], columns: int) -> list[list[_Piece]]:
    """As many as have room in a cue; a sentence that is not tiny ends one."""
    groups: list[list[_Piece]] = []
    ended = True
    for piece in pieces:
        if ended or len(_filled([*groups[-1], piece], columns)) > LINES:
            groups.append([])
        groups[-1].append(piece)
        ended = piece.text.endswith(_ENDS_SENTENCE) and columns_of(_joined(groups[-1])) >= columns / 2
    return groups


def _filled(pieces: Sequence[_Piece], columns: int) -> list[list[_Piece]]:
    """In lines, each as full as it can be."""
    lines: list[list[_Piece]] = [[]]
    for piece in pieces:
        if lines[-1] and columns_of(_joined([*lines[-1], piece])) > columns:
            lines.append([])
        lines[-1].append(piece)
    return lines


def _lines(pieces: Sequence[_Piece], columns: int) -> list[list[_Piece]]:
    """As few lines as there may be, as even as they can be."""
    fewest = len(_filled(pieces, columns))
    while columns > 1 and len(_filled(pieces, columns - 1)) == fewest:
        columns -= 1
    return _filled(pieces, columns)


def _joined(pieces: Sequence[_Piece]) -> str:
    return "".join(piece.space * bool(number) + piece.text for number, piece in enumerate(pieces))
