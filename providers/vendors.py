"""The vendors of videos: name to dotted path of the adapter, whose module has the vendor's MODELS too."""

from collections.abc import Iterator, Mapping
from importlib import import_module
from types import MappingProxyType

from django.conf import settings

from .facts import VideoModel

VIDEO_PROVIDERS: Mapping[str, str] = MappingProxyType(
    {
        "sandbox": "providers.video.sandbox.SandboxProvider",
        **settings.MORE_VIDEO_PROVIDERS,
    }
)


def models() -> Iterator[VideoModel]:
    """Every model of every vendor, in the order of the table. Raises ImportError for an adapter that isn't there."""
    for path in VIDEO_PROVIDERS.values():
        yield from import_module(path.rpartition(".")[0]).MODELS
