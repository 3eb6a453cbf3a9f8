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
    vendor_id: str = ""
    """The render that the same vendor made it with, by the same account: what some continue or change by its id."""


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
    per_minute: int | None = None
    """How many submissions a minute the vendor says that it takes from this account, where it says so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputSource:
    """Where the finished video can be downloaded. `headers` go to that origin only, never to a redirect's."""

    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    expires_at: datetime | None = None
    base64_field: str | None = None
    """The video is not the answer's body but the base64 text of the first field of this name in its JSON."""
    post: Mapping[str, object] | None = field(default=None, repr=False)
    """The JSON to post for it, where a GET won't do."""

    @property
    def is_link(self) -> bool:
        """Whether it is a plain address that anybody can watch it at."""
        return not self.headers and self.base64_field is None and self.post is None


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A render as the vendor's own list has it."""

    external_id: str
    state: RenderState
    created_at: datetime | None = None
    client_token: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountLimits:
    """What the vendor lets one account do; None: it does not say, or there is no limit."""

    concurrent: int | None = None
    per_minute: int | None = None
    per_day: int | None = None
    """In any 24 hours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountStanding:
    """What the vendor says of our account."""

    balance: Decimal | None = None
    currency: str = "USD"
    """What the balance is counted in: an ISO 4217 code, or "credits" where their worth is not known."""
    limits: Mapping[str, AccountLimits] = field(default_factory=dict)
    """By the vendor's own name of the model."""


class Webhooks(StrEnum):
    """What makes a delivery of the vendor worth a look. It is never more than a hint."""

    NONE = "none"
    """The vendor sends none."""
    TOKEN = "token"  # noqa: S105 - a word, no secret
    """The vendor does not sign them: only the token in our URL speaks for them."""
    SIGNED = "signed"
    """Its signature is checked, beside the token in our URL."""


class VideoProvider(ABC):
    """Translates between us and one vendor. Instances are shared by threads."""

    name: ClassVar[str]
    settings: ClassVar[Sequence[str]] = ()
    """The settings it needs, in the order `from_settings` reads them; all filled means configured."""
    optional: ClassVar[Sequence[str]] = ()
    """Settings that it reads too, and that may be empty."""
    defaults: ClassVar[Mapping[str, str]] = {}
    """The vendor's own value of a setting that is empty: its address."""
    webhooks: ClassVar[Webhooks] = Webhooks.NONE
    webhooks_of_account: ClassVar[bool] = False
    """Whether the vendor calls one address for the whole account: its deliveries carry no token of an attempt."""
    webhook_max_bytes: ClassVar[int] = 256 * 1024
    """The largest delivery that is read."""
    gone_when_cancelled: ClassVar[bool] = False
    """Whether the vendor forgets a render that it stopped for us: then JobNotFound is its word for cancelled."""
    reports_cost: ClassVar[bool] = False
    """Whether the vendor says what a render cost."""
    notes: ClassVar[Sequence[str]] = ()
    """What operators should know, a sentence each: above all what of the vendor's behaviour nobody has confirmed."""
    accepts_idempotency_key: ClassVar[bool] = False
    """Whether the same `client_token` twice is one job at the vendor."""
    find_is_authoritative_after: ClassVar[timedelta | None] = None
    """How long after a submission a None from `find` proves that the vendor never accepted it; None: never.
    """

    @property
    def verifies_webhooks(self) -> bool:
        """Whether this instance checks the signature of every delivery, with a secret or key that it has."""
        return self.webhooks is Webhooks.SIGNED

    @classmethod
    @abstractmethod
    def from_settings(cls, values: Mapping[str, str]) -> Self:
        """The adapter for these values of `settings` and `optional`; none of `settings` is empty."""

    @abstractmethod
    def submit(self, request: RenderRequest, *, client_token: str, callback_url: str | None) -> Submission:
        """Ask for one clip, once.

        `client_token` identifies the attempt at the vendor where it has a field for it; `callback_url` is
        where the vendor tells us about it. Raises UnsupportedFeature, NotSent, RateLimited, RequestRefused,
        CredentialsRefused or OutcomeUnknown, as `providers.submission` draws the line. Calls before the one that
        costs money, such as an upload, are NotSent when they fail; an adapter that makes any can't say after how
        long absence is proven.
        """

    @abstractmethod
    def fetch(self, external_id: str) -> RenderUpdate:
        """The truth about one render. Raises JobNotFound, ReadFailed, RateLimited or CredentialsRefused."""

    def cancel(self, external_id: str) -> CancelOutcome:
        """Ask the vendor to stop. Raises UnsupportedFeature where it has no such call, else as `fetch`."""
        raise UnsupportedFeature(self.name, "cancel")

    def find(self, client_token: str, *, request: RenderRequest, since: datetime) -> RenderUpdate | None:
        """Look up a render whose submission's outcome is unknown; raises as `fetch`.

        By its token where the vendor keeps one, else by what was asked for (the links to inputs are signed anew, so
        only their paths are the same) from the moment `since` of the attempt on: then only the one render that it can
        be counts, of several none. None means "not seen"; it is proof of absence only later than
        `find_is_authoritative_after`.
        """
        raise UnsupportedFeature(self.name, "look-up")

    def read_webhook(self, headers: Mapping[str, str], body: bytes) -> list[RenderUpdate]:
        """What a webhook says, as a hint. Verifies before it reads: raises BadSignature.

        A verified body that makes no sense raises ReadFailed.
        """
        raise UnsupportedFeature(self.name, "webhooks")

    def account(self) -> AccountStanding:
        """The balance and limits of our account, where the vendor tells them; raises as `fetch`."""
        raise UnsupportedFeature(self.name, "account")

    def listed(self, since: datetime) -> Sequence[Listed]:
        """The renders that the vendor lists from `since` on, newest first, at most 1,000; raises as `fetch`."""
        raise UnsupportedFeature(self.name, "list")

    @classmethod
    def offers(cls, call: str) -> bool:
        """Whether the vendor has this optional call: cancel, find, read_webhook, account or listed."""
        return getattr(cls, call) is not getattr(VideoProvider, call)
