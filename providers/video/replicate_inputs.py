"""What a model on Replicate takes: its own schema, read into a shape that writes our requests as its input.

Models come from code, or from the setting REPLICATE_MODELS, a list of entries such as

    {"model": "owner/name", "version": "<64 hex, for a community model>", "name": "Name", "vendor_cost": "0.05",
     "vendor_unit": "second", "input_schema": {"properties": {…}, "required": […]},
     "fields": {"prompt": "prompt", "start_image": "image", "duration": "duration"},
     "durations": [5], "resolutions": ["720p"], "ratios": ["16:9"]}

`fields` says which of the schema's properties is which of our options (OPTIONS). The other numbers, switches and
words of a list become typed controls; free texts and files are left to the model. An option that no property is has
one value, which is not sent.
"""

import json
import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from providers.contract import ControlValue, InputMedia, Mode, RenderRequest
from providers.errors import UnsupportedFeature
from providers.facts import (
    ChoiceControl,
    ContentType,
    Control,
    NumberControl,
    PriceUnit,
    ProviderLimits,
    SwitchControl,
    VideoModel,
)

NAME = "replicate"
# Creating predictions; how many may run at once is not published, so this is only a bound of our own.
LIMITS = ProviderLimits(concurrent=100, per_minute=600)

MEDIA = {"start_image": "a start image", "end_image": "an end image", "source_video": "a source video"}
TEXTS = {"prompt": "a prompt", "negative_prompt": "a negative prompt", "style": "a style"}
SWITCHES = {"audio": "audio", "enhance": "prompt enhancement"}
SHAPES_OF_OUTPUT = ("duration", "resolution", "ratio")
OPTIONS = (*MEDIA, *TEXTS, *SWITCHES, *SHAPES_OF_OUTPUT, "seed")
"""What `fields` of an entry of REPLICATE_MODELS may name."""

SCALARS = ("string", "integer", "number", "boolean")
# Bounds of a number whose schema has none.
WIDEST = 2**31 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Property:
    """One scalar property of a model's schema."""

    kind: str
    """string, integer, number or boolean."""
    enum: Sequence[ControlValue] = ()
    minimum: float | None = None
    maximum: float | None = None
    max_length: int | None = None
    default: ControlValue | None = None

    def takes(self, value: object) -> bool:
        match self.kind:
            case "boolean":
                return isinstance(value, bool)
            case "string":
                fits = isinstance(value, str) and (self.max_length is None or len(value) <= self.max_length)
            case _:
                fits = (
                    isinstance(value, int | float if self.kind == "number" else int)
                    and not isinstance(value, bool)
                    and (self.minimum is None or value >= self.minimum)
                    and (self.maximum is None or value <= self.maximum)
                )
        return fits and (not self.enum or value in self.enum)

    def word_for(self, value: ControlValue) -> ControlValue | None:
        """`value` as the property writes it: 5, "5" or "5s", "4K" or "4k"; None: it does not take it."""
        if self.enum:
            said = {str(value).lower(), f"{value}s".lower()}
            return next((word for word in self.enum if str(word).lower() in said), None)
        written = str(value) if self.kind == "string" else value
        return written if self.takes(written) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """How the input of one model is written."""

    version: str | None = None
    """The id that a community model is run by."""
    properties: Mapping[str, Property]
    required: frozenset[str] = frozenset()
    fields: Mapping[str, str]
    """Our option, the model's property."""
    controls: Mapping[str, str] = field(default_factory=dict)
    """Our control, the model's property."""
    words: Mapping[str, Mapping[ControlValue, ControlValue]] = field(default_factory=dict)
    """Of a property that has words of its own: our control's value, its."""
    defaults: Mapping[str, ControlValue] = field(default_factory=dict)
    """What is sent of a property unless somebody wishes otherwise: the model's own defaults are never relied on."""
    resolutions: Sequence[str]
    ratios: Sequence[str]
    durations: Sequence[int]
    sizes: str = ""
    """The sizes in pixels that it makes, for people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnModel:
    """A model that the operator of this installation added."""

    model: VideoModel
    shape: Shape
    vendor_cost: Decimal
    """In USD a unit: what the operator's rate card should say."""


def scalar(raw: object, where: str) -> Property | None:
    """A property of a schema; None for a list, a file or an object. Raises ImproperlyConfigured, naming `where`."""
    kind = raw.get("type") if isinstance(raw, dict) else None
    if not isinstance(raw, dict) or kind not in (*SCALARS, "array", "object"):
        raise _wrong(where, "has no type of its own (write references out)")
    if kind not in SCALARS or raw.get("format") == "uri":
        return None
    numbers = {}
    for name in ("minimum", "maximum", "maxLength"):
        value = raw.get(name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise _wrong(f"{where}.{name}", "is not a number")
        numbers[name] = value
    enum = raw.get("enum", [])
    if not isinstance(enum, list) or not all(isinstance(word, str | int | float) for word in enum):
        raise _wrong(f"{where}.enum", "is not a list of words or numbers")
    made = Property(
        kind=kind,
        enum=tuple(enum),
        minimum=numbers["minimum"],
        maximum=numbers["maximum"],
        max_length=None if numbers["maxLength"] is None else int(numbers["maxLength"]),
        default=raw.get("default"),
    )
    if made.default is not None and not made.takes(made.default):
        raise _wrong(f"{where}.default", "is not what the property takes")
    return made


def shape_of(
    schema: object,
    fields: Mapping[str, str],
    *,
    where: str,
    version: str | None = None,
    durations: Sequence[int],
    resolutions: Sequence[str],
    ratios: Sequence[str],
    controls: Mapping[str, str] | None = None,
    defaults: Mapping[str, ControlValue] | None = None,
    words: Mapping[str, Mapping[ControlValue, ControlValue]] | None = None,
    sizes: str = "",
) -> Shape:
    """The shape of a model with this schema. Raises ImproperlyConfigured, naming what of the schema is wrong."""
    raw = schema.get("properties") if isinstance(schema, dict) else None
    if not isinstance(schema, dict) or not isinstance(raw, dict) or not raw:
        raise _wrong(f"{where}.input_schema", "has no properties")
    required = schema.get("required", [])
    if not isinstance(required, list) or not all(str(name) in raw for name in required):
        raise _wrong(f"{where}.input_schema.required", "names no property of the schema")
    properties = {}
    for name, described in raw.items():
        found = scalar(described, f"{where}.input_schema.properties.{name}")
        if found is None and described["type"] == "string" and name in fields.values():
            found = Property(kind="string")
        if found is not None:
            properties[name] = found
    for option, name in fields.items():
        if option not in OPTIONS:
            raise _wrong(f"{where}.fields.{option}", f"is none of {', '.join(OPTIONS)}")
        if name not in properties:
            raise _wrong(f"{where}.fields.{option}", "names no property of input_schema")
        wanted = "boolean" if option in SWITCHES else "string" if option in (*MEDIA, *TEXTS) else ""
        if wanted and properties[name].kind != wanted:
            raise _wrong(f"{where}.fields.{option}", f"names a property that is no {wanted}")
    if len(set(fields.values())) < len(fields):
        raise _wrong(f"{where}.fields", "names a property twice")
    if controls is None:
        controls = {
            name: name
            for name, found in properties.items()
            if name not in fields.values() and (found.kind != "string" or found.enum)
        }
    for name in required:
        filled = name in fields.values() or name in controls.values()
        if not filled or (name in controls.values() and properties[name].default is None):
            raise _wrong(
                f"{where}.input_schema.required", f"has {name}, which is no field and has no default"
            )
    for option, values in (("duration", durations), ("resolution", resolutions), ("ratio", ratios)):
        if option not in fields:
            continue
        for value in values:
            if properties[fields[option]].word_for(value) is None:
                raise _wrong(f"{where}.{option}s", f"has {value}, which input_schema does not take")
    own = {
        name: found.default
        for name, found in properties.items()
        if name in controls.values() and found.default is not None
    }
    return Shape(
        version=version,
        properties=properties,
        required=frozenset(required),
        fields=fields,
        controls=controls,
        words=words or {},
        defaults={**own, **(defaults or {})},
        durations=durations,
        resolutions=resolutions,
        ratios=ratios,
        sizes=sizes,
    )


def _wrong(where: str, reason: str) -> ImproperlyConfigured:
    return ImproperlyConfigured(f"{where} {reason}")


_ENTRY = {
    "model", "version", "name", "input_schema", "fields", "durations", "resolutions", "ratios",
    "vendor_cost", "vendor_unit",
}  # fmt: skip
_REQUIRED = _ENTRY - {"version", "vendor_unit"}
_UNITS = {"second": PriceUnit.SECOND, "call": PriceUnit.CLIP}


def own_models(text: str, known: Set[str]) -> tuple[OwnModel, ...]:
    """The models of the setting; `known` are ids and vendor's names in use.

    Raises ImproperlyConfigured, naming the field that is wrong.
    """
    setting = "REPLICATE_MODELS"
    try:
        entries = json.loads(text or "[]")
    except (ValueError, RecursionError):
        raise _wrong(setting, "is not JSON") from None
    if not isinstance(entries, list):
        raise _wrong(setting, "is not a list")
    made: list[OwnModel] = []
    taken = {*known}
    for number, entry in enumerate(entries):
        one = _own_model(entry, f"{setting}[{number}]")
        if {one.model.id, one.model.vendor_model} & taken:
            raise _wrong(f"{setting}[{number}].model", "is there already")
        taken |= {one.model.id, one.model.vendor_model}
        made.append(one)
    return tuple(made)


def _own_model(entry: object, where: str) -> OwnModel:
    if not isinstance(entry, dict):
        raise _wrong(where, "is not an object")
    for name in sorted(entry.keys() - _ENTRY):
        raise _wrong(f"{where}.{name}", "is not known")
    for name in sorted(_REQUIRED - entry.keys()):
        raise _wrong(f"{where}.{name}", "is missing")
    _matches(
        entry["model"], r"[a-z0-9][a-z0-9._-]*/[a-z0-9][a-z0-9._-]*", f"{where}.model", "is not owner/name"
    )
    _matches(entry["name"], r".{1,100}", f"{where}.name", "is not a name")
    version = entry.get("version")
    if version is not None:
        _matches(version, r"[0-9a-f]{64}", f"{where}.version", "is not an id of 64 hexadecimal digits")
    fields = entry["fields"]
    if not isinstance(fields, dict) or not all(isinstance(name, str) for name in fields.values()):
        raise _wrong(f"{where}.fields", "is not an object of names")
    durations = entry["durations"]
    if (
        not isinstance(durations, list)
        or not durations
        or not all(type(one) is int and one > 0 for one in durations)
    ):
        raise _wrong(f"{where}.durations", "is not a list of whole seconds")
    for name, pattern in (("resolutions", r"\d{3,4}p|4K"), ("ratios", r"\d{1,2}:\d{1,2}")):
        if not isinstance(entry[name], list) or not entry[name]:
            raise _wrong(f"{where}.{name}", "is not a list of names")
        for one in entry[name]:
            _matches(one, pattern, f"{where}.{name}", "has a name that we don't use")
    for name in ("duration", "resolution", "ratio"):
        if name not in fields and len(entry[f"{name}s"]) > 1:
            raise _wrong(f"{where}.{name}s", f"has more than one, and no field is the {name}")
    unit = entry.get("vendor_unit", "second")
    if not isinstance(unit, str) or unit not in _UNITS:
        raise _wrong(f"{where}.vendor_unit", f"is none of {', '.join(_UNITS)}")
    shape = shape_of(
        entry["input_schema"],
        fields,
        where=where,
        version=version,
        durations=tuple(sorted(set(durations))),
        resolutions=tuple(entry["resolutions"]),
        ratios=tuple(entry["ratios"]),
    )
    return OwnModel(
        model=_facts_of(entry, shape, _UNITS[unit], where),
        shape=shape,
        vendor_cost=_money(entry["vendor_cost"], f"{where}.vendor_cost"),
    )


def _matches(value: object, pattern: str, where: str, reason: str) -> None:
    if not isinstance(value, str) or not re.fullmatch(pattern, value):
        raise _wrong(where, reason)


def _money(value: object, where: str) -> Decimal:
    try:
        amount = Decimal(value if isinstance(value, str | int) and not isinstance(value, bool) else "")
    except InvalidOperation:
        raise _wrong(where, 'is not an amount in quotes, such as "0.05"') from None
    if not amount.is_finite() or amount <= 0:
        raise _wrong(where, "is not more than nothing")
    return amount


def _facts_of(entry: Mapping[str, Any], shape: Shape, unit: PriceUnit, where: str) -> VideoModel:
    modes = _modes(shape)
    if not modes:
        raise _wrong(f"{where}.fields", "has neither a prompt nor a picture or video to begin with")
    prompt = shape.properties.get(shape.fields.get("prompt", ""))
    style = shape.properties.get(shape.fields.get("style", ""))
    length = shape.properties.get(shape.fields.get("duration", ""))
    wished = length.default if length else None
    return VideoModel(
        id=f"{NAME}/{entry['model'].partition('/')[2]}",
        provider=NAME,
        vendor_model=entry["model"],
        name=entry["name"],
        description="A model on Replicate that the operator of this installation added.",
        modes=modes,
        default_duration=next(
            (one for one in shape.durations if wished in (one, str(one), f"{one}s")), shape.durations[0]
        ),
        durations=shape.durations,
        resolutions=shape.resolutions,
        ratios=shape.ratios,
        default_ratio=shape.ratios[0],
        styles=tuple(str(word) for word in style.enum) if style else (),
        max_prompt_length=(prompt.max_length or 2_000) if prompt else 0,
        negative_prompt="negative_prompt" in shape.fields,
        audio="audio" in shape.fields,
        enhance="enhance" in shape.fields,
        seed="seed" in shape.fields,
        controls=tuple(_control(name, shape.properties[name]) for name in shape.controls),
        strengths=frozenset({ContentType.OTHER}),
        quality=3,
        price_unit=unit,
        expected_seconds=timedelta(minutes=3),
        webhook_expected=True,
        limits=LIMITS,
    )


def _modes(shape: Shape) -> frozenset[Mode]:
    has = shape.fields.keys()
    needed = {option for option, name in shape.fields.items() if name in shape.required} & MEDIA.keys()
    inputs = {
        Mode.TEXT: set() if "prompt" in has else {"prompt of its own"},
        Mode.IMAGE: {"start_image"},
        Mode.FIRST_LAST: {"start_image", "end_image"},
        Mode.VIDEO: {"source_video"},
    }
    return frozenset(mode for mode, given in inputs.items() if given <= has and needed <= given)


def _control(name: str, found: Property) -> Control:
    described = f"The model's own {name.replace('_', ' ')}."
    if found.enum:
        return ChoiceControl(
            name=name,
            description=described,
            choices=tuple(str(word) for word in found.enum),
            default=None if found.default is None else str(found.default),
        )
    if found.kind == "boolean":
        return SwitchControl(name=name, description=described, default=found.default is True)
    return NumberControl(
        name=name,
        description=described,
        minimum=-WIDEST if found.minimum is None else found.minimum,
        maximum=WIDEST if found.maximum is None else found.maximum,
        whole=found.kind == "integer",
        default=found.default if isinstance(found.default, int | float) else None,
    )


def input_of(shape: Shape, request: RenderRequest) -> dict[str, ControlValue]:
    """The request in the model's own words, checked against its schema. Raises UnsupportedFeature."""
    written = _options(shape, request)
    for name, value in request.controls.items():
        if name not in shape.controls:
            known = ", ".join(shape.controls) or "none"
            raise UnsupportedFeature(NAME, f"the control {name} (this model has {known})")
        written[shape.controls[name]] = _of_a_control(shape, name, value)
    for name, value in shape.defaults.items():
        written.setdefault(name, value)
    for name in sorted(shape.required - written.keys()):
        raise UnsupportedFeature(NAME, f"a request without {name}")
    for name, value in written.items():
        if not shape.properties[name].takes(value):
            raise UnsupportedFeature(NAME, f"this {name} ({_takes(shape, name)})")
    return written


def _options(shape: Shape, request: RenderRequest) -> dict[str, ControlValue]:
    """What our own options write."""
    written: dict[str, ControlValue] = {}
    media: Mapping[str, InputMedia | None] = {
        "start_image": request.start_image,
        "end_image": request.end_image,
        "source_video": request.source_video,
    }
    texts = {
        "prompt": request.prompt,
        "negative_prompt": request.negative_prompt,
        "style": request.style or "",
    }
    wishes: list[tuple[str, str, ControlValue, bool]] = [
        *((option, MEDIA[option], one.url if one else "", one is not None) for option, one in media.items()),
        *((option, TEXTS[option], text, bool(text)) for option, text in texts.items()),
        ("audio", SWITCHES["audio"], request.audio, request.audio),
        ("enhance", SWITCHES["enhance"], request.enhance, request.enhance),
        ("seed", "a seed", request.seed or 0, request.seed is not None),
    ]
    for option, words, value, wished in wishes:
        if option in shape.fields:
            # A switch, or a text that has a default, says no explicitly.
            property_ = shape.properties[shape.fields[option]]
            if (
                wished
                or option in SWITCHES
                or (option == "negative_prompt" and property_.default is not None)
            ):
                written[shape.fields[option]] = value
        elif wished:
            raise UnsupportedFeature(NAME, words)
    if request.end_image is not None and request.start_image is None:
        raise UnsupportedFeature(NAME, "an end image without a start image")
    if request.resolution not in shape.resolutions or request.ratio not in shape.ratios:
        made = shape.sizes or f"{', '.join(shape.resolutions)} at {', '.join(shape.ratios)}"
        raise UnsupportedFeature(NAME, f"such a size (this model makes {made})")
    if request.duration_seconds not in shape.durations:
        lengths = ", ".join(map(str, shape.durations))
        raise UnsupportedFeature(NAME, f"such a length (this model makes {lengths} seconds)")
    for option, value in (
        ("duration", request.duration_seconds),
        ("resolution", request.resolution),
        ("ratio", request.ratio),
    ):
        if option in shape.fields:
            word = shape.properties[shape.fields[option]].word_for(value)
            assert word is not None, "checked as the shape was read"
            written[shape.fields[option]] = word
    return written


def _of_a_control(shape: Shape, name: str, value: ControlValue) -> ControlValue:
    """A control's value as its property has it."""
    property_name = shape.controls[name]
    words = shape.words.get(property_name)
    if words is not None:
        if value not in words:
            raise UnsupportedFeature(NAME, f"{name} other than {' or '.join(map(str, words))}")
        return words[value]
    found = shape.properties[property_name]
    if found.enum:
        # Our choices are words; the model's may be numbers.
        written = next((word for word in found.enum if str(word) == str(value)), None)
    elif found.kind == "integer" and isinstance(value, float) and value.is_integer():
        written = int(value)
    else:
        written = value
    if written is None or not found.takes(written):
        raise UnsupportedFeature(NAME, f"this {name} ({_takes(shape, property_name)})")
    return written


def _takes(shape: Shape, name: str) -> str:
    """What a property takes, for people."""
    found = shape.properties[name]
    if found.enum:
        return f"one of {', '.join(map(str, found.enum))}"
    bounds = [
        f"{word} {bound:g}"
        for word, bound in (("from", found.minimum), ("to", found.maximum))
        if bound is not None
    ]
    bounds += [] if found.max_length is None else [f"of at most {found.max_length} characters"]
    return " ".join([found.kind, *bounds])
