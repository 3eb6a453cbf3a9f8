"""Everything that the catalogue says of a model, as requests."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from providers.contract import InputMedia, Mode, RenderRequest
from providers.facts import VideoModel


def wishes(model: VideoModel, store: str) -> Iterator[RenderRequest]:
    """Each mode with each length, resolution, ratio and option of the model, one after the other."""
    start = InputMedia(url=f"{store}/start.png", media_type="image/png")
    inputs: dict[Mode, dict[str, Any]] = {
        Mode.TEXT: {},
        Mode.IMAGE: {"start_image": start},
        Mode.FIRST_LAST: {
            "start_image": start,
            "end_image": InputMedia(url=f"{store}/end.png", media_type="image/png"),
        },
        Mode.VIDEO: {"source_video": InputMedia(url=f"{store}/source.mp4", media_type="video/mp4")},
    }
    for mode in sorted(model.modes):
        plain = RenderRequest(
            model=model.vendor_model,
            mode=mode,
            prompt="A paper boat",
            duration_seconds=model.default_duration,
            resolution=model.resolutions[0],
            ratio=model.default_ratio,
            **inputs[mode],
        )
        yield from (
            replace(plain, duration_seconds=length)
            for length in model.durations_for(mode, model.resolutions[0])
        )
        yield from (replace(plain, resolution=resolution) for resolution in model.resolutions)
        yield from (replace(plain, ratio=ratio) for ratio in model.ratios)
        yield replace(plain, prompt="x" * model.max_prompt_length)
        yield replace(plain, audio=model.audio, enhance=model.enhance, seed=2**31 - 1 if model.seed else None)
        yield replace(plain, negative_prompt="rain" if model.negative_prompt else "")
        for control in model.controls:
            for value in getattr(control, "choices", (True, False)):
                yield replace(plain, controls={control.name: value})
