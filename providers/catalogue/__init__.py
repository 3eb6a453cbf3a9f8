"""The catalogue: every model the product knows, as facts in code.

`MODELS` maps our model id to its facts, in the order they are listed to users. A vendor's models stand beside its
adapter, in the file that `providers.registry` names.
"""

from collections.abc import Mapping
from types import MappingProxyType

from providers.facts import (
    ChoiceControl,
    ContentType,
    Control,
    InvalidControl,
    NumberControl,
    PriceUnit,
    ProviderLimits,
    Restriction,
    SwitchControl,
    VideoModel,
)
from providers.vendors import models

MODELS: Mapping[str, VideoModel] = MappingProxyType({model.id: model for model in models()})

__all__ = [
    "MODELS",
    "ChoiceControl",
    "ContentType",
    "Control",
    "InvalidControl",
    "NumberControl",
    "PriceUnit",
    "ProviderLimits",
    "Restriction",
    "SwitchControl",
    "VideoModel",
]
