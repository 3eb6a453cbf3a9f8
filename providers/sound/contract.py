"""The contract every vendor of sounds keeps, and the frozen types that cross it.

An adapter translates between us and one vendor. It keeps no database, retries nothing and guesses nothing: what the
vendor can't do is `UnsupportedFeature`, and every failure is one of `providers.errors`. A call costs money and its
answer is the sound itself: one whose outcome is unknown can't be looked up.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

from providers.contract import Cost, InputMedia
from providers.errors import UnsupportedFeature


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechRequest:
    """Words to be spoken. `voice`: a name or an id of the vendor's, or "" for its default."""

    model: str
    """The vendor's own name of the model."""
    text: str
    voice: str = ""
    before: str = ""
    """What is said just before it, for the tone; not spoken."""
    after: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectRequest:
    """Something to be heard, for so many seconds; `video`: the picture that it belongs to, where the vendor looks."""

    model: str
    text: str
    seconds: float
    video: InputMedia | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MusicRequest:
    """Instrumental music of about so many seconds."""

    model: str
    text: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SpokenWord:
    """A word of the text as it was sent, and when it is heard."""

    text: str
    start_seconds: float
    end_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeSound:
    """A sound that was written to the file that was asked for. `words`: of speech, where the vendor tells them."""

    path: Path
    media_type: str
    words: Sequence[SpokenWord] = ()
    words_estimated: bool = False
    """Whether `words` are the text spread over the sound by length, because the vendor told no times."""
    cost: Cost | None = None
    request_id: str = ""


class SoundProvider(ABC):
    """Translates between us and one vendor. Instances are shared by threads.

    Each call takes up to two minutes. `target` is a path without an ending in a folder of its own: the adapter adds
    the ending of what it got. What is shorter than a model makes comes at the model's shortest
    (`SoundModel.seconds_made`). Raises UnsupportedFeature, NotSent, RateLimited, RequestRefused, CredentialsRefused or
    OutcomeUnknown, as `providers.submission` draws the line; where the vendor keeps a job, also RenderFailed,
    JobNotFound or ReadFailed, once it has accepted it. A disk that takes no more is an OSError.
    """

    name: ClassVar[str]
    settings: ClassVar[Sequence[str]] = ()
    """The settings it needs, in the order `from_settings` reads them; all filled means configured."""
    defaults: ClassVar[Mapping[str, str]] = {}

    @classmethod
    @abstractmethod
    def from_settings(cls, values: Mapping[str, str]) -> Self:
        """The adapter for these values of `settings`; none is empty."""

    def speak(self, request: SpeechRequest, target: Path) -> MadeSound:
        raise UnsupportedFeature(self.name, "speech")

    def make_effect(self, request: EffectRequest, target: Path) -> MadeSound:
        raise UnsupportedFeature(self.name, "effects")

    def make_music(self, request: MusicRequest, target: Path) -> MadeSound:
        raise UnsupportedFeature(self.name, "music")
