"""Whether a clip or a film is good enough, by its figures: limits with their reasons, no files."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from .measurement import Span

Kind = Literal["clip", "film"]
Audio = Literal["required", "optional", "none"]

# What models deliver is a little off in length; a quarter of a second less than was paid for is missing, though.
CLIP_SHORTER_SECONDS, CLIP_LONGER_SECONDS = 0.25, 1.0
# Models make 704 lines for 720, and 832 x 480 for 16:9; this is as far as it goes.
CLIP_SIDE_SHARE, CLIP_RATIO_SHARE = 0.9, 0.05
# Slower is a slide show, faster is a broken header.
SLOWEST_RATE, FASTEST_RATE = 10.0, 121.0
# A film is encoded by us: its rate is exact but for what is rounded.
FILM_RATE_SHARE = 0.001
# The file says how long it is; what is missing of that was cut off on its way.
CUT_OFF_SECONDS = 0.25
# A fade from or to black takes half a second; longer, the viewer waits before nothing.
BLACK_END_SECONDS = 0.5
BLACK_SHARE = 0.2
# More is no pause in a movement: the model has made a photograph.
FROZEN_SHARE = 0.5
# What is left of a sound at this share of silence is a click.
SILENT_SHARE = 0.98
# Loud music has a few samples that look cut off; what was overdriven has many times as many. Encoding smears them,
# but not the loudness: the loudest records do not reach this.
CUT_OFF_SHARE, OVERDRIVEN_LUFS = 0.01, -6.0
# Later, lips are seen to be wrong. Sound codecs work in blocks of up to 0.05 s.
CLIP_APART_SECONDS, FILM_APART_SECONDS = 0.5, 0.1
FILM_LOUDNESS_LUFS, FILM_LOUDNESS_LU = -14.0, 1.0
# -1 dBTP is what streaming services ask for; encoding may add a little.
FILM_PEAK_DBTP, FILM_PEAK_DB = -1.0, 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What was ordered.

    A clip, which somebody else made, is to be usable: its size and rate may be near to these. A film, which we made,
    is to be exact, to its number of `frames`. `ratio`, as "9:16", is for clips whose size in pixels is not known.
    `audio` "none": a clip's is left out, so whatever it is is right. `silent`: the track of a film that is to be heard
    by nobody. `moves`: false for what may stand still, such as a title.
    """

    kind: Kind
    seconds: float
    frames: int | None = None
    width: int | None = None
    height: int | None = None
    ratio: str | None = None
    frames_per_second: float | None = None
    audio: Audio = "optional"
    silent: bool = False
    moves: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundFigures:
    """The first sound track. Loudness is EBU R 128's, over all of it; None where there is digital silence.

    `cut_off_share`: of the samples, those cut off at full scale. Damage is in packets that can't be decoded.
    """

    codec: str
    channels: int
    sample_rate: int
    start_seconds: float
    seconds: float
    broken_packets: int
    cut_off_share: float
    loudness_lufs: float | None
    loudness_range_lu: float | None
    true_peak_dbtp: float | None
    silences: tuple[Span, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """All that is measured, in seconds from the file's beginning; `seconds` is where the last picture ends.

    Width and height are as it is seen. Brightness is from 0 to 1, and motion is the mean difference of a picture
    from the one before, from 0 to 1. `corrupt_frames` are those that the decoder had to make up.
    """

    container: str
    video_codec: str
    declared_seconds: float | None
    broken_packets: int
    width: int
    height: int
    constant_size: bool
    frames: int
    frames_per_second: float
    constant_rate: bool
    start_seconds: float
    seconds: float
    corrupt_frames: int
    damaged_at_seconds: float | None
    brightness: float
    motion: float
    black: tuple[Span, ...]
    frozen: tuple[Span, ...]
    sound: SoundFigures | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong: `code` for programs, `reason` for people; `at_seconds`: where, if it has a place."""

    code: str
    reason: str
    at_seconds: float | None = None


def problems(figures: Figures, expected: Expected) -> tuple[Problem, ...]:
    """Everything that is wrong with it, the worst first; empty: it is good."""
    return tuple(
        problem
        for find in (_damage, _length, _black, _frozen, _shape, _rate, _sound)
        for problem in find(figures, expected)
    )


def _damage(figures: Figures, expected: Expected) -> Iterator[Problem]:
    broken, made_up = figures.broken_packets, figures.corrupt_frames
    if broken or made_up:
        at = figures.damaged_at_seconds
        yield Problem(
            code="damaged",
            reason=f"{max(broken, made_up)} of its {figures.frames} pictures are damaged.",
            at_seconds=at,
        )
    if figures.sound is not None and figures.sound.broken_packets:
        yield Problem(
            code="damaged_sound",
            reason=f"{figures.sound.broken_packets} pieces of its sound can't be decoded.",
        )
    declared = figures.declared_seconds
    if declared is not None and figures.seconds < declared - CUT_OFF_SECONDS:
        yield Problem(
            code="cut_off",
            reason=f"It ends after {figures.seconds:.2f} s, though its file says {declared:.2f} s.",
            at_seconds=figures.seconds,
        )


def _length(figures: Figures, expected: Expected) -> Iterator[Problem]:
    if expected.kind == "film" and expected.frames is not None:
        if figures.frames != expected.frames:
            yield Problem(
                code="frames", reason=f"It has {figures.frames} pictures instead of {expected.frames}."
            )
        return
    length = f"It lasts {figures.seconds:.2f} s instead of {expected.seconds:.2f} s."
    if figures.seconds < expected.seconds - CLIP_SHORTER_SECONDS:
        yield Problem(code="too_short", reason=length, at_seconds=figures.seconds)
    if figures.seconds > expected.seconds + CLIP_LONGER_SECONDS:
        yield Problem(code="too_long", reason=length, at_seconds=expected.seconds)


def _black(figures: Figures, expected: Expected) -> Iterator[Problem]:
    end = figures.seconds
    first, last = figures.black[:1], figures.black[-1:]
    # A picture that comes late leaves the player as black.
    begins = (
        first[0].end_seconds if first and first[0].start_seconds <= figures.start_seconds + 0.001 else 0.0
    )
    begins = max(begins, figures.start_seconds)
    dark = _seconds(figures.black)
    if dark >= end - 0.001:
        yield Problem(code="black", reason="It is black from beginning to end.", at_seconds=end / 2)
        return
    if begins > BLACK_END_SECONDS:
        yield Problem(code="black", reason=f"Its first {begins:.1f} s are black.", at_seconds=begins / 2)
    if (
        last
        and last[0].end_seconds >= end - 0.001
        and (ends := end - last[0].start_seconds) > BLACK_END_SECONDS
    ):
        yield Problem(code="black", reason=f"Its last {ends:.1f} s are black.", at_seconds=end - ends / 2)
    if dark > BLACK_SHARE * end:
        yield Problem(
            code="black",
            reason=f"It is black for {dark:.1f} of its {end:.1f} s.",
            at_seconds=_middle(figures.black),
        )


def _frozen(figures: Figures, expected: Expected) -> Iterator[Problem]:
    # What is black stands still, too, and is called black.
    still = _without(figures.frozen, figures.black)
    if expected.moves and (seconds := _seconds(still)) > FROZEN_SHARE * figures.seconds:
        yield Problem(
            code="frozen",
            reason=f"Its picture stands still for {seconds:.1f} of its {figures.seconds:.1f} s.",
            at_seconds=_middle(still),
        )


def _shape(figures: Figures, expected: Expected) -> Iterator[Problem]:
    width, height = expected.width, expected.height
    is_size = f"It has {figures.width} x {figures.height} pixels"
    if not figures.constant_size:
        yield Problem(code="size", reason="The size of its picture changes.")
    if width is not None and height is not None:
        if expected.kind == "film":
            if (figures.width, figures.height) != (width, height):
                yield Problem(code="size", reason=f"{is_size} instead of {width} x {height}.")
            return
        if min(figures.width, figures.height) < CLIP_SIDE_SHARE * min(width, height):
            yield Problem(code="size", reason=f"{is_size}; {width} x {height} were ordered.")
        wanted = width / height
    elif expected.ratio is not None:
        across, down = (float(side) for side in expected.ratio.split(":"))
        wanted = across / down
    else:
        return
    if abs(figures.width / figures.height / wanted - 1) > CLIP_RATIO_SHARE:
        called = expected.ratio or f"{width} x {height}"
        yield Problem(code="ratio", reason=f"{is_size}, which is not {called}.")


def _rate(figures: Figures, expected: Expected) -> Iterator[Problem]:
    rate, wanted = figures.frames_per_second, expected.frames_per_second
    if expected.kind == "film":
        if wanted is not None and abs(rate / wanted - 1) > FILM_RATE_SHARE:
            yield Problem(code="rate", reason=f"It has {rate:g} pictures a second instead of {wanted:g}.")
        elif not figures.constant_rate:
            yield Problem(code="rate", reason="Its pictures do not follow each other evenly.")
    elif not SLOWEST_RATE <= rate <= FASTEST_RATE:
        yield Problem(code="rate", reason=f"It has {rate:g} pictures a second.")


def _sound(figures: Figures, expected: Expected) -> Iterator[Problem]:
    sound = figures.sound
    if sound is None:
        if expected.audio == "required":
            yield Problem(code="no_sound", reason="It has no sound.")
        return
    # A film may have a single short sound, as planned; a clip of which a click is left has lost its own.
    mostly = expected.kind == "clip" and _seconds(sound.silences) > SILENT_SHARE * sound.seconds
    silent = sound.loudness_lufs is None or mostly
    if expected.audio == "none" and expected.kind == "clip":
        return
    if silent:
        if expected.audio == "required" and not expected.silent:
            yield Problem(code="silent", reason="Nothing is heard in it.")
        return
    if expected.silent or expected.audio == "none":
        yield Problem(code="unwanted_sound", reason="Something is heard in it, and it was to be silent.")
        return
    apart = FILM_APART_SECONDS if expected.kind == "film" else CLIP_APART_SECONDS
    if abs(sound.seconds - figures.seconds) > apart:
        yield Problem(
            code="apart",
            reason=f"Its sound ends after {sound.seconds:.2f} s, its picture after {figures.seconds:.2f} s.",
            at_seconds=min(sound.seconds, figures.seconds),
        )
    loudness = sound.loudness_lufs
    if sound.cut_off_share > CUT_OFF_SHARE or (loudness is not None and loudness > OVERDRIVEN_LUFS):
        yield Problem(code="clipping", reason="Its sound is overdriven: what is loudest in it is cut off.")
    if expected.kind == "film" and loudness is not None:
        if abs(loudness - FILM_LOUDNESS_LUFS) > FILM_LOUDNESS_LU:
            yield Problem(
                code="loudness",
                reason=f"Its loudness is {loudness:.1f} LUFS instead of {FILM_LOUDNESS_LUFS:g}.",
            )
        peak = sound.true_peak_dbtp
        if peak is not None and peak > FILM_PEAK_DBTP + FILM_PEAK_DB:
            yield Problem(
                code="peak", reason=f"Its true peak is {peak:.1f} dBTP; {FILM_PEAK_DBTP:g} are the most."
            )


def _seconds(spans: Iterable[Span]) -> float:
    return sum(span.end_seconds - span.start_seconds for span in spans)


def _middle(spans: Sequence[Span]) -> float:
    """Of the longest."""
    longest = max(spans, key=lambda span: span.end_seconds - span.start_seconds)
    return round((longest.start_seconds + longest.end_seconds) / 2, 3)


def _without(spans: Sequence[Span], others: Sequence[Span]) -> tuple[Span, ...]:
    """What of them is in none of the others."""
    left = list(spans)
    for other in others:
        parts = [
            Span(start_seconds=start, end_seconds=end)
            for span in left
            for start, end in (
                (span.start_seconds, min(span.end_seconds, other.start_seconds)),
                (max(span.start_seconds, other.end_seconds), span.end_seconds),
            )
            if start < end
        ]
        left = parts
    return tuple(left)
