"""The contract every video provider keeps, and the frozen types that cross it.

An adapter translates between us and one vendor. It keeps no database, retries nothing and guesses nothing: a
word it does not know is `RenderState.UNKNOWN`, an option the vendor cannot express is `UnsupportedFeature`,
and every failure is one of `providers.errors`.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import ClassVar, Self

from .errors import ProviderError, UnsupportedFeature

ControlValue = str | int | float | bool


class Mode(StrEnum):
    """What a video is made from."""

    TEXT = "text"
    IMAGE = "image"
    FIRST_LAST = "first_last"
    VIDEO = "video"


class RenderState(StrEnum):
    """Where a render stands at the vendor."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"
    """The vendor used a word that its adapter does not know: recorded and alarmed, never guessed."""


class CancelOutcome(StrEnum):
    ACCEPTED = "accepted"
    """The vendor took the wish. The render may still succeed: its own last word decides."""
    TOO_LATE = "too_late"
    """The render has ended, or can't be stopped any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InputMedia:
    """A file that the vendor may fetch: a pre-signed URL of our store that outlives the vendor's queue."""

    url: str
    media_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderRequest:
    """One clip to make, already checked against the catalogue's facts about `model`."""

    model: str
    """The vendor's own name of the model."""
    mode: Mode
    prompt: str
    negative_prompt: str = ""
    style: str | None = None
    duration_seconds: int
    resolution: str
    """For example "720p"."""
    ratio: str
    """For example "16:9"."""
    start_image: InputMedia | None = None
    end_image: InputMedia | None = None
    source_video: InputMedia | None = None
    audio: bool = False
    enhance: bool = False
    seed: int | None = None
    controls: Mapping[str, ControlValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """The vendor's receipt. `external_id` is opaque; an adapter may pack more than one vendor id into it."""

    external_id: str
    vendor_state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputSource:
    """Where the finished video can be downloaded. `headers` go to that origin only, never to a redirect's."""

    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What the vendor charges us."""

    amount: Decimal
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderUpdate:
    """What a provider says about one render, whether we asked or it told us.

    `SUCCEEDED` always has an `output`; a vendor that is done without media is `FAILED` with
    `RenderFailed(code=NO_MEDIA)`. `FAILED` always has a `failure`.
    """

    external_id: str
    state: RenderState
    vendor_state: str
    progress: int | None = None
    """The vendor's own percent, 0 to 100."""
    output: OutputSource | None = None
    failure: ProviderError | None = None
    cost: Cost | None = None
    event_id: str | None = None
    """The delivery's id: the same when the vendor repeats it. None when we asked."""
    client_token: str | None = None
    """The token we gave at submission, where the vendor returns it."""


class VideoProvider(ABC):
    """Translates between us and one vendor. Instances are shared by threads."""

    name: ClassVar[str]
    settings: ClassVar[Sequence[str]] = ()
    """The settings it needs, in the order `from_settings` reads them; all filled means configured."""
    accepts_idempotency_key: ClassVar[bool] = False
    """Whether the same `client_token` twice is one job at the vendor."""
    find_is_authoritative_after: ClassVar[timedelta | None] = None
    """How long after a submission a None from `find` proves that the vendor never accepted it; None: never.
    """

    @classmethod
    @abstractmethod
    def from_settings(cls, values: Mapping[str, str]) -> Self:
        """The adapter for these values of `settings`; none is empty."""

    @abstractmethod
    def submit(self, request: RenderRequest, *, client_token: str, callback_url: str | None) -> Submission:
        """Ask for one clip, once.

        `client_token` identifies the attempt at the vendor where it has a field for it; `callback_url` is
        where the vendor tells us about it. Raises UnsupportedFeature, NotSent, RateLimited, RequestRefused,
        CredentialsRefused or OutcomeUnknown, as `providers.submission` draws the line.
        """

    @abstractmethod
    def fetch(self, external_id: str) -> RenderUpdate:
        """The truth about one render. Raises JobNotFound, ReadFailed, RateLimited or CredentialsRefused."""

    def cancel(self, external_id: str) -> CancelOutcome:
        """Ask the vendor to stop. Raises UnsupportedFeature where it has no such call, else as `fetch`."""
        raise UnsupportedFeature(self.name, "cancel")

    def find(self, client_token: str) -> RenderUpdate | None:
        """Look up a render whose submission's outcome is unknown; raises as `fetch`.

        None means "not seen"; it is proof of absence only later than `find_is_authoritative_after`.
        """
        raise UnsupportedFeature(self.name, "look-up by client token")

    def read_webhook(self, headers: Mapping[str, str], body: bytes) -> list[RenderUpdate]:
        """What a webhook says, as a hint. Verifies before it reads: raises BadSignature.

        A verified body that makes no sense raises ReadFailed.
        """
        raise UnsupportedFeature(self.name, "webhooks")
