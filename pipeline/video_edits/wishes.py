"""What is to be done with a finished video, as the API takes it and as it is stored; what can't be done, and why.

Times are seconds of the result, but for those of `trim`, which are the source's. No database.
"""

import json
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, ValidationError

from generations.errors import InvalidRequest
from pipeline.media.composition.timeline import FRAMES_PER_SECOND
from pipeline.media.composition.vocabulary import Fit, Grade
from pipeline.plans.film import LONGEST_FILM, Effects, Overlay, Part, Seconds, Speed, Words
from pipeline.plans.validation import TOLERANCE, room_for_words

SHORTEST, LONGEST = 0.5, LONGEST_FILM
# The longest video that can be uploaded, in seconds.
LONGEST_SOURCE = 6 * 3600
SMALLEST_SIDE = 32
MOST_LINES = 40
# A length is stored in milliseconds.
ROUNDED = 0.001

Ratio = Literal["9:16", "16:9", "1:1", "4:5", "5:4", "4:3", "3:4", "3:2", "2:3", "21:9"]
SourceSeconds = Annotated[float, Field(ge=0, le=LONGEST_SOURCE, allow_inf_nan=False)]
Pixels = Annotated[int, Field(ge=0, le=100_000)]
Text = Annotated[str, Field(min_length=1, max_length=1000)]


class Trim(Part):
    """The piece of the source that is kept, from and to seconds of it; to its end if that is left out."""

    start_seconds: SourceSeconds = 0.0
    end_seconds: SourceSeconds | None = None


class CropBox(Part):
    """The part of the picture that is kept, in pixels of the source as it is seen."""

    x: Pixels
    y: Pixels
    width: Annotated[int, Field(ge=SMALLEST_SIDE, le=100_000)]
    height: Annotated[int, Field(ge=SMALLEST_SIDE, le=100_000)]


class CaptionLine(Part):
    """A line of captions, and when it is read."""

    text: Text
    start_seconds: Seconds
    end_seconds: Seconds


class Captions(Part):
    """Lines that are written on the picture: these, or the words of the voice. They are files beside it, too."""

    lines: Annotated[tuple[CaptionLine, ...], Field(max_length=200)] = ()
    from_voice: bool = False


class SpokenLine(Part):
    """Words that are spoken from `start_seconds` on. `voice`: a name or an id, "" for the usual one."""

    text: Text
    start_seconds: Seconds = 0.0
    voice: Words = ""


class EffectLine(Part):
    """What is heard from `start_seconds` on, for so many seconds."""

    text: Text
    start_seconds: Seconds = 0.0
    seconds: Annotated[float, Field(ge=SHORTEST, le=LONGEST, allow_inf_nan=False)]


class Wish(Part):
    """Everything that may be asked for; what is left out stays as it is.

    `crop` or `ratio`; `fit` says what becomes of what does not fit the ratio. `own_sound`: how loud the source's own
    sound stays, 0 without it.
    """

    trim: Trim | None = None
    crop: CropBox | None = None
    ratio: Ratio | None = None
    fit: Fit = Fit.CROP
    speed: Speed = 1.0
    grade: Grade = Grade.NONE
    effects: Effects = ()
    texts: Annotated[tuple[Overlay, ...], Field(max_length=10)] = ()
    captions: Captions | None = None
    voice: Annotated[tuple[SpokenLine, ...], Field(max_length=MOST_LINES)] = ()
    sound_effects: Annotated[tuple[EffectLine, ...], Field(max_length=MOST_LINES)] = ()
    music: Words = ""
    own_sound: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 1.0

    @property
    def words(self) -> str:
        """All that is written in it, for who has to read it."""
        written = [*(one.text for one in self.texts), *(one.text for one in self.caption_lines)]
        heard = [*(one.text for one in self.voice), *(one.text for one in self.sound_effects), self.music]
        return "\n".join([*written, *heard])

    @property
    def caption_lines(self) -> tuple[CaptionLine, ...]:
        """Those that were given."""
        return self.captions.lines if self.captions is not None else ()


AnyWish = TypeVar("AnyWish", bound=Wish)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What an edit needs to know of its source; sizes in pixels as it is seen."""

    digest: str
    seconds: float
    width: int
    height: int
    has_sound: bool


def read(kind: type[AnyWish], body: Any) -> AnyWish:
    """A request's body. Raises InvalidRequest, which names the field as a path."""
    try:
        # As JSON: in it, strictly, a text is no number, but a list is a tuple.
        return kind.model_validate_json(json.dumps(body), strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "body"
        raise InvalidRequest(field=field, reason=f"{field}: {first['msg']}.") from None


def to_json(wish: Wish) -> dict[str, Any]:
    """As it is stored, with what is left out."""
    return wish.model_dump(mode="json")


def from_json(document: object) -> Wish:
    """What `to_json` made."""
    return Wish.model_validate(document)


def taken(wish: Wish, source: Source) -> tuple[float, float]:
    """From where to where the source is shown, in seconds of it."""
    if wish.trim is None:
        return 0.0, source.seconds
    end = wish.trim.end_seconds
    return wish.trim.start_seconds, source.seconds if end is None else min(end, source.seconds)


def frames_of(wish: Wish, source: Source) -> int:
    """How many frames the result has."""
    start, end = taken(wish, source)
    return max(1, round((end - start) / wish.speed * FRAMES_PER_SECOND))


def seconds_of(wish: Wish, source: Source) -> float:
    """How long the result is."""
    return frames_of(wish, source) / FRAMES_PER_SECOND


def check(wish: Wish, source: Source) -> None:
    """Raises InvalidRequest for the first thing that can't be done with this source."""
    if wish == Wish():
        raise _no("body", "Say what is to be done with the video.")
    _check_length(wish, source)
    _check_picture(wish, source)
    _check_words(wish, seconds_of(wish, source))
    _check_sounds(wish, seconds_of(wish, source))


def _no(field: str, reason: str) -> InvalidRequest:
    return InvalidRequest(field=field, reason=reason)


def _check_length(wish: Wish, source: Source) -> None:
    start, end = taken(wish, source)
    if wish.trim is not None:
        if (wish.trim.end_seconds or 0) > source.seconds + ROUNDED:
            raise _no("trim.end_seconds", f"The video has {source.seconds:g} s.")
        if start >= end:
            raise _no("trim.start_seconds", f"Of the video's {source.seconds:g} s nothing would be left.")
    seconds = (end - start) / wish.speed
    field = "trim" if wish.trim is not None or wish.speed == 1 else "speed"
    if seconds > LONGEST + ROUNDED:
        raise _no(field, f"The result would have {seconds:g} s; {LONGEST:g} s are the most.")
    if seconds < SHORTEST - TOLERANCE:
        raise _no(field, f"The result would have {seconds:g} s; {SHORTEST:g} s are the least.")


def _check_picture(wish: Wish, source: Source) -> None:
    if wish.crop is None:
        return
    if wish.ratio is not None:
        raise _no("ratio", "Give either a crop or a ratio.")
    if wish.crop.x + wish.crop.width > source.width or wish.crop.y + wish.crop.height > source.height:
        raise _no("crop", f"It reaches beyond the picture, which has {source.width}x{source.height} pixels.")


def _check_words(wish: Wish, seconds: float) -> None:
    spans: list[tuple[str, Overlay | CaptionLine]] = [
        *((f"texts.{number}", text) for number, text in enumerate(wish.texts)),
        *((f"captions.lines.{number}", line) for number, line in enumerate(wish.caption_lines)),
    ]
    for field, one in spans:
        if not one.start_seconds < one.end_seconds <= seconds + TOLERANCE:
            raise _no(field, f"It ends after it starts, and within the {seconds:g} s of the result.")
    if wish.captions is not None:
        if bool(wish.caption_lines) == wish.captions.from_voice:
            raise _no("captions", "Give either lines or `from_voice`.")
        if wish.captions.from_voice and not wish.voice:
            raise _no("captions.from_voice", "There is no voice.")


def _check_sounds(wish: Wish, seconds: float) -> None:
    for number, line in enumerate(wish.voice):
        left = seconds - line.start_seconds
        words = len(line.text.split())
        if left <= 0:
            raise _no(f"voice.{number}.start_seconds", f"The result has {seconds:g} s.")
        if words > room_for_words(left):
            raise _no(f"voice.{number}.text", f"{words} words don't fit into the {left:g} s that are left.")
    for number, effect in enumerate(wish.sound_effects):
        if effect.start_seconds + effect.seconds > seconds + TOLERANCE:
            raise _no(f"sound_effects.{number}", f"It ends after the result, which has {seconds:g} s.")
