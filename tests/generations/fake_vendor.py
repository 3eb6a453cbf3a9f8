"""Two vendors that do what a test says: no network but for the video, and no account knows another's renders.

An account's key is its name. Renders of the vendor "fake" succeed at once unless the test says otherwise.
"""

import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, Self
from uuid import UUID

import pytest
from django.db import transaction
from pytest_django import Settings

from accounts.models import User
from accounts.tiers import tiers
from credits import rate_cards
from credits.rate_cards import RateCardDraft
from generations import attempts, creation, history
from generations.creation import Wish
from generations.requests import Draft
from providers import catalogue, http, registry, vendors
from providers.adapters import Adapters
from providers.contract import (
    AccountStanding,
    CancelOutcome,
    Cost,
    Listed,
    Mode,
    OutputSource,
    RenderRequest,
    RenderState,
    RenderUpdate,
    Submission,
    VideoProvider,
    Webhooks,
)
from providers.errors import (
    BadSignature,
    FailureCode,
    JobNotFound,
    OutcomeUnknown,
    ProviderError,
    RenderFailed,
)
from providers.facts import NumberControl, PriceUnit, ProviderLimits, VideoModel
from tests.vendors.video import clip as make_clip
from workers import gates

FAKE, TWIN, OTHER = "fake/one", "fake/two", "other/one"
# USD a second, so that a clip of five costs half a dollar.
COST = Decimal("0.10")
CARD = RateCardDraft(base_credits=100, base_seconds=5, vendor_cost=COST)
SIGNATURE = "X-Fake-Signature"

A_MODEL = VideoModel(
    id=FAKE,
    provider="fake",
    vendor_model="one",
    name="Fake One",
    description="Made up.",
    modes=frozenset(Mode),
    default_duration=5,
    durations=range(1, 11),
    resolutions=("480p", "720p", "1080p"),
    ratios=("16:9", "9:16"),
    max_prompt_length=1_000,
    seed=True,
    controls=(NumberControl(name="zoom", description="How near.", minimum=0, maximum=1),),
    strengths=frozenset(),
    quality=3,
    price_unit=PriceUnit.SECOND,
    expected_seconds=timedelta(seconds=2),
    limits=ProviderLimits(concurrent=1_000, per_minute=1_000),
)


@dataclass(frozen=True, kw_only=True)
class Take:
    """A submission that is accepted. `lost`: its answer is; `external_id`: the vendor's id of it."""

    lost: bool = False
    external_id: str = ""


@dataclass(kw_only=True)
class Render:
    external_id: str
    token: str
    request: RenderRequest
    state: RenderState
    created_at: datetime
    failure: ProviderError | None = None
    cost: Cost | None = None


@dataclass
class Vendor:
    """What one vendor has and does, by the key of our account there."""

    name: str
    origin: str = ""
    renders: dict[str, dict[str, Render]] = field(default_factory=dict)
    calls: list[tuple[str, str]] = field(default_factory=list)
    """Which account was used for which call, in order."""
    next: dict[str, list[ProviderError | Take]] = field(default_factory=dict)
    """What the next submissions come to; after them, `always`."""
    always: dict[str, ProviderError] = field(default_factory=dict)
    """What every submission comes to; none: it is accepted."""
    reads: dict[str, ProviderError] = field(default_factory=dict)
    """What every status call comes to."""
    begins: RenderState = RenderState.SUCCEEDED
    """What an accepted render is at once."""
    failure: ProviderError | None = None
    cost: Cost | None = None
    per_minute: int | None = None
    by_content: bool = False
    """Whether a look-up goes by what was asked for: the oldest such render of the account."""
    during: Callable[[Render, str | None], None] | None = None
    """Called while a submission that was accepted is not yet answered."""
    standing: dict[str, AccountStanding | ProviderError] = field(default_factory=dict)
    lists: dict[str, Sequence[Listed] | ProviderError] = field(default_factory=dict)
    most_at_work: dict[str, int] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def of(self, key: str) -> dict[str, Render]:
        return self.renders.setdefault(key, {})

    def submitted(self) -> list[str]:
        """The accounts that submissions were made with, accepted or not."""
        return [key for key, call in self.calls if call == "submit"]

    def set_all(self, state: RenderState) -> None:
        for renders in self.renders.values():
            for render in renders.values():
                render.state = state

    def submit(self, key: str, request: RenderRequest, token: str, callback_url: str | None) -> Submission:
        with self.lock:
            self.calls.append((key, "submit"))
            script = self.next.get(key, [])
            outcome = script.pop(0) if script else self.always.get(key, Take())
            if isinstance(outcome, ProviderError):
                raise outcome
            number = sum(len(renders) for renders in self.renders.values()) + 1
            render = Render(
                external_id=outcome.external_id or f"{self.name}-{key}-{number}",
                token=token,
                request=request,
                state=self.begins,
                created_at=datetime.now(UTC),
                failure=self.failure,
                cost=self.cost,
            )
            self.of(key).setdefault(render.external_id, render)
            at_work = sum(
                one.state in (RenderState.QUEUED, RenderState.RUNNING) for one in self.of(key).values()
            )
            self.most_at_work[key] = max(self.most_at_work.get(key, 0), at_work)
        if self.during is not None:
            self.during(render, callback_url)
        if outcome.lost:
            raise OutcomeUnknown(self.name)
        return Submission(
            external_id=render.external_id, vendor_state=render.state, per_minute=self.per_minute
        )

    def find(self, key: str, external_id: str, call: str) -> Render:
        with self.lock:
            self.calls.append((key, call))
        if key in self.reads:
            raise self.reads[key]
        if external_id not in self.of(key):
            raise JobNotFound(self.name)
        return self.of(key)[external_id]

    def update(self, key: str, render: Render) -> RenderUpdate:
        done = render.state is RenderState.SUCCEEDED
        return RenderUpdate(
            external_id=render.external_id,
            state=render.state,
            vendor_state=render.state,
            output=OutputSource(
                url=f"{self.origin}/{self.name}/{render.external_id}.mp4", headers={"Authorization": key}
            )
            if done
            else None,
            failure=render.failure if render.state is RenderState.FAILED else None,
            cost=render.cost,
        )


VENDORS: dict[str, Vendor] = {}


class FakeProvider(VideoProvider):
    """Everything that a vendor may offer; tests change its promises."""

    name = "fake"
    settings: ClassVar[Sequence[str]] = ("FAKE_API_KEY",)
    webhooks = Webhooks.SIGNED

    def __init__(self, key: str) -> None:
        self.key = key

    @classmethod
    def from_settings(cls, values: Mapping[str, str]) -> Self:
        return cls(values[cls.settings[0]])

    @property
    def vendor(self) -> Vendor:
        return VENDORS[self.name]

    def submit(self, request: RenderRequest, *, client_token: str, callback_url: str | None) -> Submission:
        return self.vendor.submit(self.key, request, client_token, callback_url)

    def fetch(self, external_id: str) -> RenderUpdate:
        return self.vendor.update(self.key, self.vendor.find(self.key, external_id, "fetch"))

    def cancel(self, external_id: str) -> CancelOutcome:
        self.vendor.find(self.key, external_id, "cancel").state = RenderState.CANCELLED
        return CancelOutcome.ACCEPTED

    def find(self, client_token: str, *, request: RenderRequest, since: datetime) -> RenderUpdate | None:
        self.vendor.calls.append((self.key, "find"))
        for render in self.vendor.of(self.key).values():
            same = render.request.prompt == request.prompt
            if (self.vendor.by_content and same) or render.token == client_token:
                return self.vendor.update(self.key, render)
        return None

    def read_webhook(self, headers: Mapping[str, str], body: bytes) -> list[RenderUpdate]:
        if self.webhooks is Webhooks.SIGNED and headers.get(SIGNATURE) != self.key:
            raise BadSignature(self.name)
        external_id, _, event = body.decode().partition(" ")
        return [
            RenderUpdate(
                external_id=external_id,
                state=RenderState.RUNNING,
                vendor_state="running",
                event_id=event or None,
            )
        ]

    def account(self) -> AccountStanding:
        self.vendor.calls.append((self.key, "account"))
        standing = self.vendor.standing.get(self.key, AccountStanding())
        if isinstance(standing, ProviderError):
            raise standing
        return standing

    def listed(self, since: datetime) -> Sequence[Listed]:
        self.vendor.calls.append((self.key, "listed"))
        known = [
            Listed(external_id=one.external_id, state=one.state, created_at=one.created_at)
            for one in self.vendor.of(self.key).values()
            if one.created_at >= since
        ]
        listed = self.vendor.lists.get(self.key, known)
        if isinstance(listed, ProviderError):
            raise listed
        return listed


class OtherProvider(FakeProvider):
    """Another vendor, that calls nobody, and tells nothing of our account."""

    name = "other"
    settings: ClassVar[Sequence[str]] = ("OTHER_API_KEY",)
    webhooks = Webhooks.NONE
    account = VideoProvider.account
    listed = VideoProvider.listed


def a_failure(**changes: Any) -> RenderFailed:
    """A render's end at the vendor, its own fault unless said otherwise."""
    return RenderFailed("fake", **{"code": FailureCode.VENDOR_FAULT, "retryable": False, **changes})


@dataclass
class Fakes:
    """The two vendors, our settings and what else there is to be said of them."""

    fake: Vendor
    other: Vendor
    settings: Any
    models: dict[str, VideoModel]

    def add(self, model: VideoModel, card: RateCardDraft | None = CARD) -> VideoModel:
        """A model more, or another in its place, with its gate and, unless None, its price."""
        self.models[model.id] = model
        gates.ensure({f"submit:{model.provider}": (1_000, 1_000)})
        if card is not None:
            rate_cards.publish(model.id, card, operator_id=None)
        return model

    def accounts(self, *more: str, provider: str = "fake") -> None:
        """Our accounts at the vendor besides the main one."""
        setting = f"{provider.upper()}_API_KEY"
        self.settings.PROVIDER_ACCOUNTS = {
            **self.settings.PROVIDER_ACCOUNTS,
            provider: {name: {setting: name} for name in more},
        }

    def limit(self, **limits: int) -> None:
        """What the operator lets each of our accounts at the vendor "fake" do."""
        self.settings.PROVIDER_LIMITS = {"fake": limits}

    def ask(self, owner: User, *, fallback: bool = False, wish: Any = None, **draft: Any) -> UUID:
        """A clip, accepted as the API does; its id."""
        asked = {"model": FAKE, "prompt": "A boat", "resolution": "720p", "ratio": "16:9", **draft}
        with transaction.atomic():
            request, now = creation.prepare(owner, Draft(**asked))
            made = creation.create(owner, request, now, Wish(fallback=fallback, **(wish or {})))
        return made.generation.id


@cache
def a_video() -> bytes:
    return make_clip()


class _Videos(BaseHTTPRequestHandler):
    """A vendor's files: each for the key of the account that had it made."""

    def do_GET(self) -> None:
        provider, _, name = self.path.strip("/").partition("/")
        renders = VENDORS[provider].of(self.headers.get("Authorization", ""))
        found = name.removesuffix(".mp4") in renders
        self.send_response(200 if found else 403)
        self.send_header("Content-Type", "video/mp4")
        self.send_header("Content-Length", str(len(a_video()) if found else 0))
        self.end_headers()
        if found:
            self.wfile.write(a_video())

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def fakes(owner: User, settings: Settings) -> Iterator[Fakes]:
    """Both vendors in the catalogue, the registry and the table of prices; no other real one is configured."""
    models: dict[str, VideoModel] = {"sandbox/motion-1": catalogue.MODELS["sandbox/motion-1"]}
    paths = {
        "sandbox": vendors.VIDEO_PROVIDERS["sandbox"],
        "fake": f"{__name__}.FakeProvider",
        "other": f"{__name__}.OtherProvider",
    }
    config = http._config
    with (
        ThreadingHTTPServer(("127.0.0.1", 0), _Videos) as server,
        pytest.MonkeyPatch.context() as patch,
    ):
        origin = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        http.configure(replace(config, allowed_origins=config.allowed_origins | {origin}))
        VENDORS.update({name: Vendor(name, origin) for name in ("fake", "other")})
        _replace_everywhere(patch, "MODELS", catalogue.MODELS, models)
        _replace_everywhere(patch, "VIDEO_PROVIDERS", vendors.VIDEO_PROVIDERS, paths)
        patch.setattr(registry, "ADAPTERS", Adapters(paths))
        patch.setattr(attempts, "RETRY_WAITS", ())
        patch.setattr("generations.polling.CLOSEST", 0.1)
        patch.setattr("generations.polling.AFTER_FAILURE", 0.1)
        patch.setattr(
            history, "expected", lambda model: history.Expected(earliest=0.1, typical=0.2, late=60.0)
        )
        settings.FAKE_API_KEY = settings.OTHER_API_KEY = "main"
        settings.RECONCILE_EVERY = timedelta(seconds=0.2)
        settings.TIERS = {
            "free": {
                "running_jobs": 500,
                "queued_jobs": 500,
                "credits_per_day": 1_000_000,
                "max_resolution": "4K",
            }
        }
        tiers.cache_clear()
        found = Fakes(VENDORS["fake"], VENDORS["other"], settings, models)
        for model in (
            A_MODEL,
            replace(A_MODEL, id=TWIN, vendor_model="two"),
            replace(A_MODEL, id=OTHER, provider="other"),
        ):
            found.add(model)
        yield found
        server.shutdown()
    thread.join()
    settings.TIERS = {}
    tiers.cache_clear()
    http.configure(config)
    VENDORS.clear()


def _replace_everywhere(patch: pytest.MonkeyPatch, name: str, old: object, new: object) -> None:
    """In each module that has it by this name."""
    for module in list(sys.modules.values()):
        if getattr(module, "__dict__", {}).get(name) is old:
            patch.setattr(module, name, new)
