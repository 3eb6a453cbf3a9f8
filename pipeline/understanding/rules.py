"""The analyst that needs no language model: it says what the figures say, and where they say nothing, so."""

from pipeline.media.measurement import Measurement, Shot
from pipeline.understanding.report import MOST_SCENES, Basis, KeyScene, Report, Statement
from providers.catalogue import ContentType

RULES = "rules"
MEASUREMENT = "measurement"

_CAMERA = {
    "static": "The camera stands still.",
    "pan_left": "The camera pans to the left.",
    "pan_right": "The camera pans to the right.",
    "tilt_up": "The camera tilts up.",
    "tilt_down": "The camera tilts down.",
    "zoom_in": "The camera moves in.",
    "zoom_out": "The camera moves out.",
    "moving": "The camera or the whole picture moves.",
}


def report(measurement: Measurement) -> Report:
    """The report that follows from the figures alone."""
    shots = measurement.shots
    content_type, content = _content(measurement)
    return Report(
        summary=_judged(
            f"{measurement.duration_seconds:.0f} seconds in {len(shots)} {_plural('shot', len(shots))}, "
            f"{_shape(measurement)}, {_sound_in_short(measurement)}."
        ),
        content_type=content_type,
        content=content,
        audience=_judged("Nobody in particular: figures don't tell whom it is for."),
        style=_style(shots),
        pacing=_pacing(measurement),
        composition=_measured(
            f"{measurement.width}x{measurement.height} ({_shape(measurement)}), "
            f"{measurement.frames_per_second:g} frames a second."
        ),
        mood=_mood(measurement),
        camera=_camera(shots),
        audio=_audio(measurement),
        scenes=tuple(
            KeyScene(
                shot=number,
                start_seconds=shot.start_seconds,
                end_seconds=shot.end_seconds,
                content_type=content_type,
                description=_measured(describe(shot)),
                camera=_measured(_CAMERA.get(shot.camera, "Nothing is known of the camera.")),
            )
            for number, shot in _key_shots(shots)
        ),
    )


def describe(shot: Shot) -> str:
    """How a shot looks, from its figures."""
    light = "dark" if shot.brightness < 0.25 else "bright" if shot.brightness > 0.65 else "evenly lit"
    colour = "colourless" if shot.saturation < 0.08 else "vivid" if shot.saturation > 0.5 else "muted"
    pace = "nearly still" if shot.motion < 0.02 else "fast" if shot.motion > 0.12 else "calm"
    main = ", ".join(colour_name(one.hex) for one in shot.colours[:2])
    return f"A {light}, {colour}, {pace} picture" + (f" in {main}." if main else ".")


def colour_name(hex_code: str) -> str:
    """A plain word for a colour such as "#a0b0c0"."""
    red, green, blue = (int(hex_code[place : place + 2], 16) / 255 for place in (1, 3, 5))
    high, low = max(red, green, blue), min(red, green, blue)
    if high - low < 0.12:
        return "black" if high < 0.15 else "white" if low > 0.85 else "grey"
    if high == red:
        hue = 60 * (((green - blue) / (high - low)) % 6)
    elif high == green:
        hue = 60 * ((blue - red) / (high - low) + 2)
    else:
        hue = 60 * ((red - green) / (high - low) + 4)
    names = (
        (15, "red"),
        (45, "orange"),
        (70, "yellow"),
        (165, "green"),
        (200, "turquoise"),
        (255, "blue"),
        (290, "violet"),
        (335, "pink"),
        (361, "red"),
    )
    name = next(name for limit, name in names if hue < limit)
    return f"dark {name}" if high < 0.4 else name


def _key_shots(shots: tuple[Shot, ...]) -> list[tuple[int, Shot]]:
    """All of them by number; of very many the longest, in their order."""
    numbered = list(enumerate(shots, start=1))
    longest = sorted(numbered, key=lambda one: one[1].start_seconds - one[1].end_seconds)[:MOST_SCENES]
    return sorted(longest, key=lambda one: one[0])


def _content(measurement: Measurement) -> tuple[ContentType, Statement]:
    sound, pacing = measurement.sound, measurement.pacing
    if sound is not None and sound.speech_share > 0.5 and pacing.cuts_per_minute < 20:
        return ContentType.TALKING_PERSON, _judged("Somebody speaks through most of it, with few cuts.")
    motion = _average([shot.motion for shot in measurement.shots])
    if motion > 0.12 or pacing.cuts_per_minute > 45:
        return ContentType.ACTION, _judged("Much moves, or the cuts come quickly.")
    if motion < 0.02 and all(shot.camera == "static" for shot in measurement.shots):
        return ContentType.PRODUCT, _judged("Still pictures, as products are shown.")
    return ContentType.OTHER, _judged("The figures point to no kind of content in particular.")


def _style(shots: tuple[Shot, ...]) -> Statement:
    saturation = _average([shot.saturation for shot in shots])
    contrast = _average([shot.contrast for shot in shots])
    colours = "vivid colours" if saturation > 0.5 else "no colours" if saturation < 0.08 else "muted colours"
    contrasts = "hard contrasts" if contrast > 0.28 else "soft contrasts"
    return _measured(f"{colours} and {contrasts}".capitalize() + ".")


def _pacing(measurement: Measurement) -> Statement:
    pacing = measurement.pacing
    trend = {"faster": " and gets faster", "slower": " and gets slower"}.get(pacing.trend, "")
    return _measured(
        f"{pacing.cuts_per_minute:.0f} cuts a minute{trend}; a shot lasts {pacing.median_shot_seconds:.1f} s."
    )


def _mood(measurement: Measurement) -> Statement:
    brightness = _average([shot.brightness for shot in measurement.shots])
    pace = "lively" if measurement.pacing.cuts_per_minute > 25 else "calm"
    light = "dark" if brightness < 0.3 else "bright" if brightness > 0.6 else "balanced"
    return _judged(f"{pace} and {light}".capitalize() + ", by its light and its cuts.")


def _camera(shots: tuple[Shot, ...]) -> Statement:
    still = sum(shot.camera == "static" for shot in shots)
    return _measured(f"The camera stands still in {still} of {len(shots)} {_plural('shot', len(shots))}.")


def _audio(measurement: Measurement) -> Statement:
    sound = measurement.sound
    if sound is None:
        return _measured("It has no sound.")
    if sound.loudness_lufs is None:
        return _measured("Its sound is silence.")
    silent = sum(one.end_seconds - one.start_seconds for one in sound.silences)
    return _measured(
        f"{sound.loudness_lufs:.1f} LUFS on the whole, {silent:.1f} s of silence, "
        + (f"speech in {sound.speech_share:.0%} of it." if sound.speech_share > 0.02 else "no speech.")
    )


def _sound_in_short(measurement: Measurement) -> str:
    sound = measurement.sound
    if sound is None or sound.loudness_lufs is None:
        return "silent"
    return "with speech" if sound.speech_share > 0.02 else "with sound"


def _shape(measurement: Measurement) -> str:
    if measurement.height > measurement.width:
        return "upright"
    return "square" if measurement.height == measurement.width else "wide"


def _average(values: list[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def _plural(word: str, count: int) -> str:
    return word if count == 1 else f"{word}s"


def _measured(text: str) -> Statement:
    return Statement(text=text, basis=Basis.MEASURED, by=MEASUREMENT)


def _judged(text: str) -> Statement:
    return Statement(text=text, basis=Basis.JUDGED, by=RULES)
