"""The catalogue's facts hold together, and its controls refuse what they don't know."""

import math
from datetime import UTC, datetime, timedelta

import pytest

from providers.catalogue import (
    MODELS,
    ChoiceControl,
    InvalidControl,
    NumberControl,
    SwitchControl,
    VideoModel,
)
from providers.contract import Mode
from providers.sandbox.faults import Fault
from providers.sandbox.orders import CAMERAS, RATIOS, RESOLUTIONS, RETIRED_MODELS, STYLES
from providers.sandbox.orders import MODELS as SERVED
from providers.vendors import VIDEO_PROVIDERS
from providers.video.sandbox import FAULTS

EVERY_MODEL = pytest.mark.parametrize("model", MODELS.values(), ids=MODELS.keys())
SANDBOX = [model for model in MODELS.values() if model.provider == "sandbox"]


@EVERY_MODEL
def test_a_models_defaults_are_among_what_it_takes(model: VideoModel) -> None:
    assert model.default_duration in model.durations
    assert model.default_ratio in model.ratios
    assert model.resolutions
    assert model.modes
    assert list(model.durations) == sorted(set(model.durations))
    assert model.max_duration == max(model.durations)
    for control in model.controls:
        if control.default is not None:
            assert control.read(control.default) == control.default


@EVERY_MODEL
def test_a_models_id_names_its_provider(model: VideoModel) -> None:
    assert model.id.startswith(f"{model.provider}/")
    assert model.provider in VIDEO_PROVIDERS
    assert MODELS[model.id] is model


@EVERY_MODEL
def test_a_retired_model_names_a_successor_that_lives(model: VideoModel) -> None:
    now = datetime.now(UTC)
    if model.retires_at is None:
        assert model.is_available(now)
        return
    assert model.successor is not None
    assert MODELS[model.successor].is_available(max(now, model.retires_at))
    assert model.modes <= MODELS[model.successor].modes
    assert model.deprecated_at is None or model.deprecated_at <= model.retires_at


@pytest.mark.parametrize("name", sorted(VIDEO_PROVIDERS))
def test_a_providers_models_share_its_limits(name: str) -> None:
    limits = {model.limits for model in MODELS.values() if model.provider == name}
    assert len(limits) == 1


def test_a_model_is_available_from_its_first_moment_until_its_last() -> None:
    model = MODELS["sandbox/classic"]
    assert model.available_from is not None
    assert model.retires_at is not None
    moment = timedelta(microseconds=1)
    assert not model.is_available(model.available_from - moment)
    assert model.is_available(model.available_from)
    assert model.is_available(model.retires_at - moment)
    assert not model.is_available(model.retires_at)


def test_the_catalogue_offers_what_the_sandbox_serves() -> None:
    """Two lists, as with any vendor: what we believe of it, and what it does."""
    assert set(FAULTS) == {fault.value for fault in Fault}
    for model in SANDBOX:
        assert model.vendor_model in (*SERVED, *RETIRED_MODELS)
        assert set(model.ratios) <= RATIOS.keys()
        assert set(model.resolutions) <= RESOLUTIONS.keys()
        assert set(model.styles) <= set(STYLES)
        for control in model.controls:
            if control.name == "camera":
                assert isinstance(control, ChoiceControl)
                assert tuple(control.choices) == CAMERAS


def test_the_sandbox_shows_every_kind_of_limit() -> None:
    assert {Mode.TEXT, Mode.IMAGE, Mode.FIRST_LAST} <= MODELS["sandbox/motion-1"].modes
    assert MODELS["sandbox/motion-fast"].modes == {Mode.TEXT}
    assert MODELS["sandbox/motion-pro"].requires_tier == "pro"
    assert not MODELS["sandbox/classic"].is_available(datetime.now(UTC))


def test_good_controls_are_read_as_they_are() -> None:
    raw = {"camera": "pan_left", "motion_strength": 1, "fault": "slow", "seconds": 0.5}
    assert MODELS["sandbox/motion-1"].read_controls(raw) == raw
    assert MODELS["sandbox/motion-1"].read_controls({}) == {}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("speed", 3),
        ("camera", "upside_down"),
        ("camera", 1),
        ("camera", ["static"]),
        ("camera", None),
        ("motion_strength", 1.01),
        ("motion_strength", -0.01),
        ("motion_strength", "0.5"),
        ("motion_strength", True),
        ("motion_strength", math.nan),
        ("motion_strength", math.inf),
        ("motion_strength", 10**400),
        ("fault", "explode"),
        ("", 1),
    ],
)
def test_a_bad_control_is_named(name: str, value: object) -> None:
    with pytest.raises(InvalidControl) as refusal:
        MODELS["sandbox/motion-1"].read_controls({name: value})
    assert refusal.value.field == f"controls.{name}"
    assert refusal.value.reason


def test_a_whole_number_is_whole() -> None:
    control = NumberControl(name="steps", description="", minimum=1, maximum=9, whole=True)
    assert control.read(3) == 3
    assert control.read(3.0) == 3
    for value in (2.5, math.nan, math.inf):
        with pytest.raises(InvalidControl):
            control.read(value)


def test_a_switch_is_true_or_false() -> None:
    control = SwitchControl(name="loop", description="")
    assert control.read(True) is True
    for value in (1, 0, "true", None):
        with pytest.raises(InvalidControl):
            control.read(value)
