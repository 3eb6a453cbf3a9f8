"""What may be asked of a model: one request in canonical form, checked against the model's own limits."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from decimal import Decimal
from math import ceil
from typing import Any
from uuid import UUID

from accounts.tiers import Tier, tiers
from generations.errors import InvalidRequest, ModelRetired, TierRequired
from generations.models import Generation
from providers.catalogue import MODELS, InvalidControl, VideoModel
from providers.contract import ControlValue, Mode

DEFAULT_RESOLUTION = "720p"
# From the smallest; a tier's highest counts along it.
RESOLUTIONS = ("360p", "480p", "512p", "540p", "576p", "720p", "768p", "1080p", "4K")


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationRequest:
    """A complete request: every default is filled in, every value is one the model takes."""

    model: str
    mode: Mode
    prompt: str
    negative_prompt: str = ""
    style: str = ""
    resolution: str
    ratio: str
    duration_seconds: int
    audio: bool = False
    enhance: bool = False
    seed: int | None = None
    controls: Mapping[str, ControlValue] = field(default_factory=dict)
    start_image: UUID | None = None
    end_image: UUID | None = None
    source_video: UUID | None = None

    def canonical(self) -> dict[str, Any]:
        """As JSON: what a quote is bound to."""
        return {
            name: str(value) if isinstance(value, UUID) else value for name, value in asdict(self).items()
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A request as it came: None where the model's or the owner's default shall hold."""

    model: str
    prompt: str
    mode: str | None = None
    negative_prompt: str = ""
    style: str = ""
    resolution: str | None = None
    ratio: str | None = None
    duration_seconds: int | None = None
    audio: bool = False
    enhance: bool = False
    seed: int | None = None
    controls: Mapping[str, object] = field(default_factory=dict)
    start_image: UUID | None = None
    end_image: UUID | None = None
    source_video: UUID | None = None


def draft_of(generation: Generation) -> Draft:
    """The generation's recipe as a new request."""
    return Draft(
        model=generation.model,
        mode=generation.mode,
        prompt=generation.prompt,
        negative_prompt=generation.negative_prompt,
        style=generation.style,
        resolution=generation.resolution,
        ratio=generation.ratio,
        duration_seconds=generation.duration_seconds,
        audio=generation.audio,
        enhance=generation.enhance,
        seed=generation.seed,
        controls=generation.controls,
        start_image=generation.start_image_id,
        end_image=generation.end_image_id,
        source_video=generation.source_video_id,
    )


def find_model(model_id: str, *, at: datetime, retires_at: datetime | None = None) -> VideoModel:
    """The model, if it takes requests at that time; `retires_at` is an operator's earlier date.

    Raises InvalidRequest for an unknown id and ModelRetired, which names the successor.
    """
    model = MODELS.get(model_id)
    if model is None:
        raise InvalidRequest(field="model", code="unknown_model", reason=f"There is no model {model_id!r}.")
    retired = retires_at is not None and retires_at <= at
    if retired or (model.retires_at is not None and model.retires_at <= at):
        raise ModelRetired(field="model", model=model.id, successor=model.successor or "another model")
    if not model.is_available(at):
        raise InvalidRequest(
            field="model", code="model_not_yet_available", reason=f"{model.id} is not available yet."
        )
    return model


def complete(
    draft: Draft, model: VideoModel, tier: Tier, *, resolution: str, ratio: str
) -> GenerationRequest:
    """The draft with defaults, checked. `resolution` and `ratio` are what the owner prefers where he says nothing.

    Raises InvalidRequest, which names the field and what the model takes, or TierRequired.
    """
    _check_tier(model, tier)
    mode = _mode(draft, model)
    wanted_resolution = draft.resolution or _preferred(resolution, model.resolutions)
    wanted_ratio = draft.ratio or _preferred(ratio, model.ratios, model.default_ratio)
    duration = draft.duration_seconds if draft.duration_seconds is not None else model.default_duration
    prompt = draft.prompt.strip()
    _check_prompt(prompt, duration, model)
    _check_choice("resolution", wanted_resolution, model.resolutions, model)
    _check_choice("ratio", wanted_ratio, model.ratios, model)
    check_resolution_of_tier(wanted_resolution, tier)
    if duration not in model.durations:
        _refuse_duration(duration, model)
    _check_restrictions(mode, wanted_resolution, duration, model)
    if draft.style:
        _check_choice("style", draft.style, model.styles, model)
    for name, given, offered in (
        ("negative_prompt", bool(draft.negative_prompt), model.negative_prompt),
        ("audio", draft.audio, model.audio),
        ("enhance", draft.enhance, model.enhance),
        ("seed", draft.seed is not None, model.seed),
    ):
        if given and not offered:
            raise InvalidRequest(field=name, code="unsupported", reason=f"{model.id} does not take {name}.")
    try:
        controls = model.read_controls(draft.controls)
    except InvalidControl as error:
        raise InvalidRequest(field=error.field, reason=f"{error.field} {error.reason}.") from error
    return GenerationRequest(
        model=model.id,
        mode=mode,
        prompt=prompt,
        negative_prompt=draft.negative_prompt,
        style=draft.style,
        resolution=wanted_resolution,
        ratio=wanted_ratio,
        duration_seconds=duration,
        audio=draft.audio,
        enhance=draft.enhance,
        seed=draft.seed,
        controls=controls,
        start_image=draft.start_image,
        end_image=draft.end_image,
        source_video=draft.source_video,
    )


def _mode(draft: Draft, model: VideoModel) -> Mode:
    """The mode asked for, or the one that the inputs speak of; the inputs must be the mode's own."""
    spoken = (
        Mode.VIDEO
        if draft.source_video
        else Mode.FIRST_LAST
        if draft.end_image
        else Mode.IMAGE
        if draft.start_image
        else Mode.TEXT
    )
    if draft.mode is not None:
        _check_choice("mode", draft.mode, [mode.value for mode in Mode], model)
    mode = Mode(draft.mode) if draft.mode is not None else spoken
    if mode not in model.modes:
        offered = ", ".join(sorted(model.modes))
        raise InvalidRequest(
            field="mode",
            code="unsupported",
            reason=f"{model.id} makes video from {offered}, not {mode.value}.",
        )
    needed = {
        Mode.TEXT: set[str](),
        Mode.IMAGE: {"start_image"},
        Mode.FIRST_LAST: {"end_image"},
        Mode.VIDEO: {"source_video"},
    }[mode]
    allowed = needed | ({"start_image"} if mode is Mode.FIRST_LAST else set())
    for name in ("start_image", "end_image", "source_video"):
        given = getattr(draft, name) is not None
        if given and name not in allowed:
            raise InvalidRequest(
                field=name, code="unsupported", reason=f"The mode {mode.value} takes no {name}."
            )
        alone = name == "start_image" and mode is Mode.FIRST_LAST and not model.end_image_alone
        if not given and (name in needed or alone):
            raise InvalidRequest(field=name, code="required", reason=f"The mode {mode.value} needs {name}.")
    return mode


def _check_prompt(prompt: str, duration: int, model: VideoModel) -> None:
    limit = model.max_prompt_length
    if limit == 0:
        if prompt:
            raise InvalidRequest(
                field="prompt",
                code="unsupported",
                reason=f"{model.id} takes no prompt: it moves its start image.",
            )
        return
    if not prompt:
        raise InvalidRequest(field="prompt", code="required", reason="The prompt is empty.")
    if len(prompt) > limit:
        raise InvalidRequest(
            field="prompt",
            code="too_long",
            reason=f"The prompt has {len(prompt)} characters; {model.id} takes {limit}.",
            limit=limit,
        )
    if model.spoken_characters_per_second is not None:
        speakable = duration * model.spoken_characters_per_second
        if len(prompt) > speakable:
            raise InvalidRequest(
                field="prompt",
                code="too_long",
                reason=f"{model.id} speaks the prompt, and about {speakable} characters go into {duration} s;"
                f" it has {len(prompt)}.",
                limit=speakable,
            )


def _check_restrictions(mode: Mode, resolution: str, duration: int, model: VideoModel) -> None:
    """Raises InvalidRequest for a combination that the model's restrictions leave out."""
    offered = model.durations_for(mode, resolution)
    if not offered:
        raise InvalidRequest(
            field="resolution",
            code="unsupported",
            reason=f"{model.id} makes no {resolution} in the mode {mode.value}.",
            offered=[one for one in model.resolutions if model.durations_for(mode, one)],
        )
    if duration not in offered:
        raise InvalidRequest(
            field="duration_seconds",
            code="unsupported",
            reason=f"{model.id} makes {', '.join(map(str, offered))} s at {resolution} in the mode {mode.value}.",
            offered=list(offered),
        )


# What a control `task` says that goes on with a video instead of changing it.
_CONTINUES = frozenset({"extend", "extend_backward"})
# How much longer than asked for a source may be: containers count their last frame differently.
_TOLERANCE_SECONDS = Decimal("0.5")


def check_source(model: VideoModel, request: GenerationRequest, seconds: Decimal | None) -> None:
    """Raises InvalidRequest for a source that has more seconds, each charged by the vendor, than are paid for."""
    if not model.source_sets_length or request.controls.get("task") in _CONTINUES or seconds is None:
        return
    if seconds > request.duration_seconds + _TOLERANCE_SECONDS:
        raise InvalidRequest(
            field="duration_seconds",
            code="shorter_than_source",
            reason=f"{model.id} makes a video as long as its source, which has {seconds:.1f} s:"
            f" ask for {ceil(seconds)} s.",
            minimum=ceil(seconds),
        )


def _check_tier(model: VideoModel, tier: Tier) -> None:
    if model.requires_tier is not None and tier.rank < tiers()[model.requires_tier].rank:
        raise TierRequired(field="model", tier=model.requires_tier)


def check_resolution_of_tier(resolution: str, tier: Tier) -> None:
    """Raises TierRequired."""
    if RESOLUTIONS.index(resolution) > RESOLUTIONS.index(tier.max_resolution):
        needed = min(
            (
                other
                for other in tiers().values()
                if RESOLUTIONS.index(other.max_resolution) >= RESOLUTIONS.index(resolution)
            ),
            key=lambda other: other.rank,
        )
        raise TierRequired(field="resolution", tier=needed.name)


def _check_choice(name: str, value: str, offered: Sequence[str], model: VideoModel) -> None:
    if value not in offered:
        raise InvalidRequest(
            field=name,
            code="unsupported",
            reason=f"{model.id} does not take {name} {value!r}; it takes {', '.join(offered) or 'none'}.",
            offered=list(offered),
        )


def _refuse_duration(duration: int, model: VideoModel) -> None:
    limits = {"minimum": model.durations[0], "maximum": model.max_duration, "offered": list(model.durations)}
    if duration > model.max_duration:
        raise InvalidRequest(
            field="duration_seconds",
            code="duration_too_long",
            reason=(
                f"{model.id} makes at most {model.max_duration} s. A longer film is planned in segments: POST it to a"
                " project's plan/."
            ),
            **limits,
        )
    raise InvalidRequest(
        field="duration_seconds",
        code="unsupported",
        reason=f"{model.id} does not make {duration} s; it makes {', '.join(map(str, model.durations))} s.",
        **limits,
    )


def _preferred(wanted: str, offered: Sequence[str], default: str | None = None) -> str:
    """What the owner prefers if the model offers it, else the model's own default."""
    if wanted in offered:
        return wanted
    return default if default is not None else offered[0]
