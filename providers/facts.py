"""The shapes of the catalogue: what a model can do, what its controls take, when it comes and goes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from providers.contract import ControlValue, Mode


class InvalidControl(Exception):
    """A control that the model does not have, or a value it does not take. `field` is `controls.<name>`."""

    def __init__(self, name: str, reason: str) -> None:
        self.field = f"controls.{name}"
        self.reason = reason
        super().__init__(f"{self.field}: {reason}")


class PriceUnit(StrEnum):
    """What the vendor counts."""

    SECOND = "second"
    CLIP = "clip"


class ContentType(StrEnum):
    """What a clip mostly shows."""

    TALKING_PERSON = "talking_person"
    PERSON = "person"
    PRODUCT = "product"
    LANDSCAPE = "landscape"
    ACTION = "action"
    ANIMATION = "animation"
    TEXT = "text"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChoiceControl:
    """One word out of `choices`."""

    name: str
    description: str
    choices: Sequence[str]
    default: str | None = None

    def read(self, value: object) -> str:
        if not isinstance(value, str) or value not in self.choices:
            raise InvalidControl(self.name, f"must be one of {', '.join(self.choices)}")
        return value


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberControl:
    """A number from `minimum` to `maximum`, both included; whole if `whole`."""

    name: str
    description: str
    minimum: float
    maximum: float
    whole: bool = False
    default: float | None = None

    def read(self, value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise InvalidControl(self.name, "must be a number")
        if not self.minimum <= value <= self.maximum:
            raise InvalidControl(self.name, f"must be from {self.minimum:g} to {self.maximum:g}")
        if self.whole and int(value) != value:
            raise InvalidControl(self.name, "must be a whole number")
        return int(value) if self.whole else value


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchControl:
    """On or off."""

    name: str
    description: str
    default: bool = False

    def read(self, value: object) -> bool:
        if not isinstance(value, bool):
            raise InvalidControl(self.name, "must be true or false")
        return value


Control = ChoiceControl | NumberControl | SwitchControl


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderLimits:
    """What one account at the vendor may do, over all its models."""

    concurrent: int
    """Unfinished renders at once."""
    per_minute: int
    """Submissions in any minute."""
    per_day: int | None = None
    """Submissions in any 24 hours; None: no limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Restriction:
    """What a model makes less of than its lists say: a request of these modes and resolutions only so long."""

    modes: frozenset[Mode] = frozenset(Mode)
    resolutions: Sequence[str] | None = None
    """None: whatever the resolution."""
    durations: Sequence[int] = ()
    """The lengths that it makes then, in seconds; none: it makes no such video."""

    def covers(self, mode: Mode, resolution: str) -> bool:
        """Whether it speaks of such a request."""
        return mode in self.modes and (self.resolutions is None or resolution in self.resolutions)


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoModel:
    """What one model of one vendor can do. Facts only: what an operator switches is a row elsewhere."""

    id: str
    """Ours, stable: "<provider>/<name>"."""
    provider: str
    vendor_model: str
    name: str
    description: str
    modes: frozenset[Mode]
    default_duration: int
    durations: Sequence[int]
    """Every length it makes, in seconds, ascending: a range or a tuple."""
    resolutions: Sequence[str]
    restrictions: Sequence[Restriction] = ()
    source_sets_length: bool = False
    """Whether a video made from a video is as long as that one, unless the control `task` goes on with it."""
    end_image_alone: bool = False
    """Whether it takes an end image without a start image."""
    ratios: Sequence[str]
    default_ratio: str = "16:9"
    styles: Sequence[str] = ()
    max_prompt_length: int
    """In characters; 0: it takes no prompt."""
    spoken_characters_per_second: int | None = None
    """For a model that speaks its prompt: how many characters at most go into a second; None: it doesn't."""
    negative_prompt: bool = False
    audio: bool = False
    enhance: bool = False
    seed: bool = False
    controls: Sequence[Control] = ()
    strengths: frozenset[ContentType]
    """What it is good at."""
    quality: int
    """How good its pictures are among the models known, from 1 to 5."""
    pretends: bool = False
    """Whether its videos only stand in for real ones: it never takes a real model's place, nor one its."""
    watermark: bool = False
    """Whether the vendor puts its mark on the picture."""
    requires_tier: str | None = None
    """The lowest tier that may use it; None: everybody."""
    available_from: datetime | None = None
    deprecated_at: datetime | None = None
    retires_at: datetime | None = None
    successor: str | None = None
    """The id of the model to use instead."""
    price_unit: PriceUnit
    expected_seconds: timedelta
    """How long a render typically takes, before we have a history of our own."""
    webhook_expected: bool = False
    limits: ProviderLimits
    own_limits: ProviderLimits | None = None
    """What one account may do with this model alone, where the vendor counts by model."""

    @property
    def max_duration(self) -> int:
        return self.durations[-1]

    def durations_for(self, mode: Mode, resolution: str) -> Sequence[int]:
        """Every length in seconds that it makes in this mode and resolution, ascending; none: no such video."""
        covering = [one.durations for one in self.restrictions if one.covers(mode, resolution)]
        if not covering:
            return self.durations
        return [length for length in self.durations if all(length in durations for durations in covering)]

    def is_available(self, at: datetime) -> bool:
        """Whether the vendor takes new requests for it at that time."""
        started = self.available_from is None or self.available_from <= at
        return started and (self.retires_at is None or at < self.retires_at)

    def read_controls(self, raw: Mapping[str, object]) -> dict[str, ControlValue]:
        """`raw` checked against the model's controls, no defaults added; raises InvalidControl."""
        known = {control.name: control for control in self.controls}
        for name in raw:
            if name not in known:
                raise InvalidControl(name, "is not a control of this model")
        return {name: known[name].read(value) for name, value in raw.items()}
