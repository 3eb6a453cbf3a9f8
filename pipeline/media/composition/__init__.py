"""From a timeline and its sources to one film: pure, no Django, FFmpeg in confined processes."""

from .clips import conform
from .errors import Cancelled, CompositionFailed, PartMissing
from .film import Composed, compose
from .parts import clip_parts, film_parts

__all__ = [
    "Cancelled",
    "Composed",
    "CompositionFailed",
    "PartMissing",
    "clip_parts",
    "compose",
    "conform",
    "film_parts",
]
