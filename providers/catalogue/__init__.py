"""The catalogue: every model the product knows, as facts in code.

`MODELS` maps our model id to its facts, in the order they are listed to users. One file per vendor.
"""

from collections.abc import Mapping
from itertools import chain
from types import MappingProxyType

from . import sandbox
from .facts import (
    ChoiceControl,
    ContentType,
    Control,
    InvalidControl,
    NumberControl,
    PriceUnit,
    ProviderLimits,
    SwitchControl,
    VideoModel,
)

MODELS: Mapping[str, VideoModel] = MappingProxyType(
    {model.id: model for model in chain(sandbox.MODELS)},
)

__all__ = [
    "MODELS",
    "ChoiceControl",
    "ContentType",
    "Control",
    "InvalidControl",
    "NumberControl",
    "PriceUnit",
    "ProviderLimits",
    "SwitchControl",
    "VideoModel",
]
