"""Words on the picture, as ASS documents: libass shapes every script, and what somebody wrote stays text.

A document has a clock of its own: the first frame of what it is laid over is at LEAD_SECONDS, so that words may have
begun before. Nothing of a text reaches a filter's arguments, and nothing of it is an ASS tag.
"""

import math
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

import regex

from .cues import Cue
from .letters import letters_of, width_of
from .timeline import SHORT_SIDE, Format, Text
from .vocabulary import Animation, Position

LEAD_SECONDS = 3600

# Of a film's short side SHORT_SIDE.
TEXT_SIZE, CAPTION_SIZE = 88, 74
OUTLINE = 4.5
SLIDE = 60
SMALLEST = 0.3
# Noto Sans: its line's height by its letters' size, which other fonts stay near.
LINE_HEIGHT = 1.362
# Scripts whose fonts keep so much room above and below that their letters would be small.
ENLARGED = {"Arabic": 1.45, "Devanagari": 1.2}
FADE_MS, SLIDE_MS = 300, 400
# Letters come this fast, and take at most this share of the time.
LETTER_MS, MOST_TYPING = 60, 0.6

# Shares of the picture that are kept clear: left and right, above, and below, where players of upright films have
# their controls.
UPRIGHT = 1.5
SIDE, TOP, BOTTOM, BOTTOM_UPRIGHT = 0.06, 0.08, 0.07, 0.19

_ALIGNMENTS = {
    Position.TOP_LEFT: 7,
    Position.TOP: 8,
    Position.TOP_RIGHT: 9,
    Position.LEFT: 4,
    Position.CENTRE: 5,
    Position.RIGHT: 6,
    Position.BOTTOM_LEFT: 1,
    Position.BOTTOM: 2,
    Position.BOTTOM_RIGHT: 3,
}
# A word joiner after a backslash, so that it begins no tag.
_NOT_TAGS = str.maketrans({"\\": "\\\u2060", "{": "\\{", "}": "\\}"})
_BREAKS = regex.compile(r"\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_HEADER = """\
[Script Info]
ScriptType: v4.00+
PlayResX: {width}
PlayResY: {height}
WrapStyle: 0
ScaledBorderAndShadow: yes
YCbCr Matrix: TV.709

[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, Bold, Italic, Underline, \
StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, Shadow, Alignment, MarginL, MarginR, MarginV, Encoding
Style: Text,Noto Sans,{text},&H00FFFFFF,&H00FFFFFF,&H00101010,&H80000000,-1,0,0,0,100,100,0,0,1,{outline},{shadow},5,\
{side},{side},0,-1
Style: Karaoke,Noto Sans,{text},&H0033D1FF,&H00FFFFFF,&H00101010,&H80000000,-1,0,0,0,100,100,0,0,1,{outline},{shadow},5,\
{side},{side},0,-1
Style: Caption,Noto Sans,{caption},&H00FFFFFF,&H00FFFFFF,&H00101010,&H80000000,-1,0,0,0,100,100,0,0,1,{outline},{shadow},\
2,{side},{side},0,-1

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Area:
    """Where words may stand, in pixels of a film; captions have the lowest lines for themselves."""

    left: int
    right: int
    top: int
    bottom: int
    caption_bottom: int
    scale: float


def area_of(fmt: Format) -> Area:
    scale = min(fmt.width, fmt.height) / SHORT_SIDE
    is_upright = fmt.height >= UPRIGHT * fmt.width
    caption_bottom = round(fmt.height * (1 - (BOTTOM_UPRIGHT if is_upright else BOTTOM)))
    return Area(
        left=round(fmt.width * SIDE),
        right=round(fmt.width * (1 - SIDE)),
        top=round(fmt.height * TOP),
        bottom=caption_bottom - round(2.3 * CAPTION_SIZE * scale),
        caption_bottom=caption_bottom,
        scale=scale,
    )


def document(fmt: Format, texts: Iterable[Text], cues: Iterable[Cue], *, begin: float, frames: int) -> str:
    """What is seen over these frames, the first of them at `begin` on the clock of texts and cues; empty if nothing."""
    events = [
        *_events(fmt, ((one, "Text") for one in texts), begin, frames),
        *_events(fmt, ((one, "Caption") for one in cues), begin, frames),
    ]
    if not events:
        return ""
    area = area_of(fmt)
    header = _HEADER.format(
        width=fmt.width,
        height=fmt.height,
        text=round(TEXT_SIZE * area.scale, 2),
        caption=round(CAPTION_SIZE * area.scale, 2),
        outline=round(OUTLINE * area.scale, 2),
        shadow=round(OUTLINE / 2 * area.scale, 2),
        side=area.left,
    )
    return header + "\n".join(events) + "\n"


def _events(fmt: Format, words: Iterable[tuple[Text | Cue, str]], begin: float, frames: int) -> Iterable[str]:
    rate, area = fmt.frames_per_second, area_of(fmt)
    first_frame = round(begin * rate)
    for one, style in words:
        # The first frame that shows it, and the first that doesn't any more.
        start, end = (round(seconds * rate) - first_frame for seconds in (one.start_seconds, one.end_seconds))
        if start >= frames or end <= 0 or end <= start or not one.text.strip():
            continue
        if isinstance(one, Text):
            tags, text = _text(one, area, (end - start) / rate)
            style = "Karaoke" if one.animation is Animation.KARAOKE else style
            layer = 0
        else:
            tags, text = _caption(one, area)
            layer = 1
        yield f"Dialogue: {layer},{_clock(start, rate)},{_clock(end, rate)},{style},,0,0,0,,{tags}{text}"


def _clock(frame: int, rate: int) -> str:
    """Between the frame before and this one, so that no rounding moves it to another."""
    hundredths = math.floor((LEAD_SECONDS + (frame - 0.5) / rate) * 100)
    return f"{hundredths // 360000}:{hundredths // 6000 % 60:02}:{hundredths // 100 % 60:02}.{hundredths % 100:02}"


def _caption(cue: Cue, area: Area) -> tuple[str, str]:
    middle = (area.left + area.right) / 2
    text, size = fitted(cue.text, area, CAPTION_SIZE, lines=3)
    return f"{{\\an2\\pos({middle:g},{area.caption_bottom})\\fs{size:g}}}", escaped(text)


def _text(text: Text, area: Area, seconds: float) -> tuple[str, str]:
    column, row = (_ALIGNMENTS[text.position] - 1) % 3, (_ALIGNMENTS[text.position] - 1) // 3
    x = (area.left, (area.left + area.right) / 2, area.right)[column]
    y = (area.bottom, (area.top + area.bottom) / 2, area.top)[row]
    words, size = fitted(text.text, area, TEXT_SIZE)
    place = f"\\pos({x:g},{y:g})"
    milliseconds = round(seconds * 1000)
    fade, slide = (min(longest, milliseconds // 3) for longest in (FADE_MS, SLIDE_MS))
    if text.animation is Animation.FADE:
        place += f"\\fad({fade},{fade})"
    if text.animation is Animation.SLIDE:
        # From outside to where it stands: up from below, and down from above.
        start = y + (-SLIDE if row == 2 else SLIDE) * area.scale
        place = f"\\move({x:g},{start:g},{x:g},{y:g},0,{slide})\\fad({slide // 2},{slide // 2})"
    tags = f"{{\\an{_ALIGNMENTS[text.position]}{place}\\fs{size:g}}}"
    if text.animation is Animation.TYPEWRITER:
        return tags, _typed(words, milliseconds)
    if text.animation is Animation.KARAOKE:
        return tags, _sung(words, milliseconds)
    return tags, escaped(words)


def _typed(text: str, milliseconds: int) -> str:
    """Letter by letter; each is in its place from the beginning, so that nothing moves."""
    letters = letters_of(text)
    step = min(LETTER_MS, MOST_TYPING * milliseconds / max(1, len(letters)))
    return "".join(
        escaped(letter)
        if letter.isspace()
        else f"{{\\alpha&HFF&\\t({round(number * step)},{round(number * step) + 1},\\alpha&H00&)}}{escaped(letter)}"
        for number, letter in enumerate(letters)
    )


def _sung(text: str, milliseconds: int) -> str:
    """Word by word, each for as long as it is of the whole."""
    pieces = [piece for piece in regex.split(r"(\s+)", text) if piece]
    lengths = [0 if piece.isspace() else max(1, len(letters_of(piece))) for piece in pieces]
    made, so_far = [], 0
    for piece, length in zip(pieces, lengths, strict=True):
        if piece.isspace():
            made.append(escaped(piece))
            continue
        begin, so_far = so_far, so_far + length
        ends = [round(milliseconds / 10 * at / sum(lengths)) for at in (begin, so_far)]
        made.append(f"{{\\k{ends[1] - ends[0]}}}{escaped(piece)}")
    return "".join(made)


def escaped(text: str) -> str:
    """As an ASS event's text that shows exactly this: no tags, no new events, no control characters."""
    lines = _BREAKS.split(text)
    clean = ("".join(one for one in line if unicodedata.category(one) not in ("Cc", "Cs")) for line in lines)
    return "\\N".join(line.translate(_NOT_TAGS) for line in clean)


def fitted(text: str, area: Area, size: float, *, lines: int | None = None) -> tuple[str, float]:
    """The text with places to break where a word is wider than a line, and the size at which all of it has room."""
    size, width = size * area.scale * _enlarged(text), area.right - area.left
    smallest, height = size * SMALLEST, lines * size * 1.01 if lines else area.bottom - area.top
    while size > smallest and _lines(text, width / size * LINE_HEIGHT) * size > height:
        size *= 0.9
    room = width / size * LINE_HEIGHT
    return "".join(_breakable(piece, room) for piece in regex.split(r"(\s+)", text)), round(size, 2)


def _enlarged(text: str) -> float:
    """By how much its letters are enlarged: by its main script."""
    letters = len(regex.findall(r"\p{L}", text))
    for script, factor in ENLARGED.items():
        if len(regex.findall(rf"\p{{{script}}}", text)) > letters / 2:
            return factor
    return 1.0


def _lines(text: str, room: float) -> int:
    """How many lines it takes at most, each with room for letters of so many times their size."""
    # A line that is broken at words is rarely full.
    return sum(max(1, math.ceil(width_of(line) / (0.85 * room))) for line in _BREAKS.split(text))


def _breakable(word: str, room: float) -> str:
    return word if width_of(word) <= room else "\u200b".join(letters_of(word))
