"""What a client orders: the body of POST /v1/videos, read strictly."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any

from .faults import Fault

MODELS = ("motion-1", "motion-fast", "motion-pro")
RETIRED_MODELS = ("classic",)
# The shorter side in pixels.
RESOLUTIONS = {"480p": 480, "720p": 720, "1080p": 1080, "4K": 2160}
RATIOS = {"16:9": (16, 9), "9:16": (9, 16), "1:1": (1, 1), "4:5": (4, 5)}
STYLES = ("realistic", "cinematic", "artistic", "commercial")
CAMERAS = ("static", "zoom_in", "zoom_out", "pan_left", "pan_right")
DEFAULT_SECONDS = 2.0


class InvalidOrder(Exception):
    """A value the service does not take; `field` names it."""

    def __init__(self, field: str, message: str, *, status: int = 422, code: str = "invalid_request") -> None:
        self.field = field
        self.message = message
        self.status = status
        self.code = code
        super().__init__(f"{field}: {message}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    model: str
    prompt: str
    negative_prompt: str = ""
    style: str | None = None
    duration: int = 5
    resolution: str = "720p"
    ratio: str = "16:9"
    first_frame: str | None = None
    last_frame: str | None = None
    audio: bool = False
    enhance: bool = False
    seed: int | None = None
    camera: str = "zoom_in"
    motion_strength: float = 0.5
    client_reference: str | None = None
    callback_url: str | None = None
    fault: Fault | None = None
    seconds: float = DEFAULT_SECONDS

    def digest(self, *, without: frozenset[str] = frozenset()) -> str:
        """The same for equal orders, `without` these fields."""
        fields = {name: value for name, value in asdict(self).items() if name not in without}
        return sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()


def read_order(body: object) -> Order:
    """The order in a JSON body; raises InvalidOrder naming the field."""
    if not isinstance(body, dict):
        raise InvalidOrder("body", "must be a JSON object")
    fields: dict[str, Any] = dict(body)
    sandbox = fields.pop("sandbox", {})
    if not isinstance(sandbox, dict):
        raise InvalidOrder("sandbox", "must be an object")
    values = {
        name: read_value(_FIELDS, name, value, name) for name, value in fields.items() if value is not None
    }
    for name, value in sandbox.items():
        values[name] = read_value(_SANDBOX_FIELDS, name, value, f"sandbox.{name}")
    for name in ("model", "prompt"):
        if name not in values:
            raise InvalidOrder(name, "is required")
    if values["model"] in RETIRED_MODELS:
        raise InvalidOrder("model", "is retired", status=410, code="model_retired")
    if "last_frame" in values and "first_frame" not in values:
        raise InvalidOrder("last_frame", "needs a first_frame")
    return Order(**values)


Reader = Callable[[Any], Any]


def read_value(readers: Mapping[str, Reader], name: str, value: object, field: str) -> Any:
    """The value as its reader takes it; raises InvalidOrder naming `field`."""
    if name not in readers:
        raise InvalidOrder(field, "is unknown")
    try:
        return readers[name](value)
    except ValueError as error:
        raise InvalidOrder(field, str(error)) from None


def a_text(shortest: int, longest: int) -> Reader:
    """Takes text of so many characters."""

    def read(value: Any) -> str:
        if not isinstance(value, str) or not shortest <= len(value.strip()) <= longest:
            raise ValueError(f"must be text of {shortest} to {longest} characters")
        return value

    return read


def _word(*words: str) -> Reader:
    def read(value: Any) -> str:
        if not isinstance(value, str) or value not in words:
            raise ValueError(f"must be one of {', '.join(words)}")
        return value

    return read


def a_number(low: float, high: float, *, whole: bool = False) -> Reader:
    """Takes a number from `low` to `high`, both included."""

    def read(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
            raise ValueError("must be a whole number" if whole else "must be a number")
        if not low <= value <= high:
            raise ValueError(f"must be from {low:g} to {high:g}")
        return value

    return read


def _switch(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def _url(value: Any) -> str:
    if not isinstance(value, str) or not value.startswith(("http://", "https://")) or len(value) > 4_096:
        raise ValueError("must be an http or https URL")
    return value


def _fault(value: Any) -> Fault:
    try:
        return Fault(value)
    except ValueError:
        raise ValueError("is no fault of the sandbox") from None


_FIELDS: Mapping[str, Reader] = {
    "model": _word(*MODELS, *RETIRED_MODELS),
    "prompt": a_text(1, 5_000),
    "negative_prompt": a_text(0, 5_000),
    "style": _word(*STYLES),
    "duration": a_number(1, 60, whole=True),
    "resolution": _word(*RESOLUTIONS),
    "ratio": _word(*RATIOS),
    "first_frame": _url,
    "last_frame": _url,
    "audio": _switch,
    "enhance": _switch,
    "seed": a_number(0, 2**32 - 1, whole=True),
    "camera": _word(*CAMERAS),
    "motion_strength": a_number(0, 1),
    "client_reference": a_text(1, 200),
    "callback_url": _url,
}
_SANDBOX_FIELDS: Mapping[str, Reader] = {
    "fault": _fault,
    "seconds": a_number(0, 86_400),
}
