"""Single pictures out of a video, by a confined FFmpeg."""

from pathlib import Path

from .composition.errors import CompositionFailed
from .composition.ffmpeg import Watch, of_strangers, run

# Decoded before the picture that is wanted, so that it is among them whatever the frame rate.
MARGIN_SECONDS = 1.0

_NOBODY = Watch(progress=lambda _: None, cancelled=lambda: False)


def last_frame(clip: Path, target: Path, *, before_seconds: float) -> None:
    """Write the last picture that the clip shows before that time, or its very last if it ends sooner, as PNG.

    Raises CompositionFailed where it has none.
    """
    for start in (max(0.0, before_seconds - MARGIN_SECONDS), 0.0):
        target.unlink(missing_ok=True)
        run(
            [
                "-ss", f"{start:.3f}", "-t", f"{before_seconds - start:.3f}",
                *of_strangers(clip),
                "-map", "0:v:0", "-fps_mode", "passthrough", "-update", "1", "-c:v", "png",
                "-pix_fmt", "rgb24", f"file:{target.absolute()}",
            ],
            target.parent,
            what="the last frame",
            watch=_NOBODY,
            may_fail=True,
        )  # fmt: skip
        if target.exists():
            return
    raise CompositionFailed("it shows no picture before its end")
