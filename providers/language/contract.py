"""The contract every vendor of language models keeps, and the frozen types that cross it.

An adapter translates between us and one vendor. It keeps no database, retries nothing and guesses nothing. It
hands on the text that the model wrote: whether that is what was asked for, the caller's own schema decides.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from providers.errors import UnsupportedFeature

if TYPE_CHECKING:
    from providers.catalogue.language import LanguageModel, TranscriptionModel


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """An image file."""

    content: bytes = field(repr=False)
    media_type: str = "image/jpeg"


@dataclass(frozen=True, slots=True, kw_only=True)
class Video:
    """A video file; `seconds` is its length."""

    path: Path
    media_type: str = "video/mp4"
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One side's words in a conversation."""

    role: Literal["user", "assistant"]
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a model is asked. The pictures and the video belong to the last turn, which is the user's."""

    system: str
    turns: Sequence[Turn]
    pictures: Sequence[Picture] = ()
    video: Video | None = None
    schema_name: str
    """At most 64 of A-Z, a-z, 0-9, `_` and `-`."""
    schema: Mapping[str, Any]
    """The JSON Schema of the answer, as pydantic writes it. Vendors keep less of it than it says: check again."""
    max_output_tokens: int = 8192
    """Thinking included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens, as the vendor counts them. `output_tokens` includes thinking."""

    input_tokens: int
    cached_tokens: int
    """Those of the input that were cheaper."""
    output_tokens: int


NO_USAGE = Usage(input_tokens=0, cached_tokens=0, output_tokens=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a model wrote, complete."""

    text: str
    model: str
    """As the vendor names the one that answered."""
    usage: Usage
    cost: Decimal
    """USD."""
    request_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Phrase:
    """A stretch of speech, in seconds from the beginning of the sound."""

    start_seconds: float
    end_seconds: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """What is said in a sound."""

    text: str
    language: str
    """As the vendor names it: "english"."""
    phrases: tuple[Phrase, ...]
    seconds: float
    """The length of the sound."""
    cost: Decimal
    """USD."""
    request_id: str


class LanguageProvider(ABC):
    """Translates between us and one vendor. Instances are shared by threads."""

    name: ClassVar[str]
    settings: ClassVar[Sequence[str]]
    """The settings it needs; all filled means configured."""
    defaults: ClassVar[Mapping[str, str]] = MappingProxyType({})
    """The values of those settings that are the vendor's own, such as its address."""

    @classmethod
    @abstractmethod
    def from_settings(cls, values: Mapping[str, str]) -> Self:
        """The adapter for these values of `settings`; none is empty."""

    @abstractmethod
    def ask(
        self, model: "LanguageModel", question: Question, *, on_text: Callable[[str], None] | None = None
    ) -> Answer:
        """Ask once. With `on_text` the answer is streamed, and each piece of its text handed over as it comes.

        Raises UnsupportedFeature before anything is sent, else a LanguageError.
        """

    def transcribe(self, model: "TranscriptionModel", sound: Path) -> Transcript:
        """The words of a sound file. Raises as `ask`."""
        raise UnsupportedFeature(self.name, "transcription")
