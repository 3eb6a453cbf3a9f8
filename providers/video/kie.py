"""Kie: a reseller of many models, one API of jobs (createTask, recordInfo) and an older one for Veo.

Source: docs.kie.ai, as of November 2026. Every answer is an envelope whose `code` is the result, whatever the HTTP
status; the worse of the two counts. Inputs always go by link: ours are public, and Kie's upload by URL would fetch
the same link, one call earlier, for a copy that lives a day.
"""

import hmac
import time
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from json import JSONDecodeError, loads
from typing import Any, ClassVar, Self
from urllib.parse import quote

from providers.contract import (
    AccountStanding,
    Cost,
    InputMedia,
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
    BalanceUsedUp,
    FailureCode,
    JobNotFound,
    OutcomeUnknown,
    ProviderError,
    RateLimited,
    ReadFailed,
    RenderFailed,
    RequestRefused,
    UnsupportedFeature,
)
from providers.facts import (
    ChoiceControl,
    ContentType,
    Control,
    PriceUnit,
    ProviderLimits,
    SwitchControl,
    VideoModel,
)
from providers.http import Answer, BadStatus, Client, HttpError, UnusableBody, client
from providers.signatures import secrets_of
from providers.submission import read_error, submission_error

# 20 submissions in ten seconds; about 100 tasks at once are said to be usual.
LIMITS = ProviderLimits(concurrent=100, per_minute=120)
USD_PER_CREDIT = Decimal("0.005")
# How old a webhook's timestamp may be: Kie names no limit.
TOLERANCE_SECONDS = 300
RATE_LIMIT_WAIT = timedelta(seconds=10)
MAINTENANCE_WAIT = timedelta(minutes=3)
# Before the id of a task of the Veo API, whose route is another.
VEO = "veo:"

_EVERY_RATIO = ("16:9", "9:16", "1:1", "4:3", "3:4", "21:9")
_FOUR_K = ("480p", "720p", "1080p", "4K")
_UPSTREAM_PAUSED = datetime(2026, 6, 1, tzinfo=UTC)
_SORA_RETIRED = datetime(2026, 6, 30, tzinfo=UTC)
_GENERAL = frozenset(ContentType) - {ContentType.TALKING_PERSON}
_VEO_TRANSLATE: tuple[Control, ...] = (
    SwitchControl(name="translate", description="Translate the prompt into English first."),
)

MODELS = (
    VideoModel(
        id="kie/seedance-2",
        provider="kie",
        vendor_model="bytedance/seedance-2",
        name="Seedance 2 (Kie)",
        description="ByteDance's best, with sound, up to 4K. A source video is a reference: 2 to 15 s, at most 50 MB.",
        modes=frozenset(Mode),
        default_duration=5,
        durations=range(4, 16),
        resolutions=_FOUR_K,
        ratios=_EVERY_RATIO,
        max_prompt_length=20_000,
        audio=True,
        controls=(SwitchControl(name="web_search", description="Look things up that the prompt names."),),
        strengths=frozenset(ContentType),
        quality=5,
        price_unit=PriceUnit.SECOND,
        expected_seconds=timedelta(seconds=180),
        webhook_expected=True,
        limits=LIMITS,
    ),
    VideoModel(
        id="kie/seedance-1.5-pro",
        provider="kie",
        vendor_model="bytedance/seedance-1.5-pro",
        name="Seedance 1.5 Pro (Kie)",
        description="ByteDance's model of the year before, with sound, cheap for its quality.",
        modes=frozenset({Mode.TEXT, Mode.IMAGE, Mode.FIRST_LAST}),
        default_duration=5,
        durations=range(4, 13),
        resolutions=("480p", "720p", "1080p"),
        ratios=_EVERY_RATIO,
        max_prompt_length=20_000,
        audio=True,
        controls=(SwitchControl(name="fixed_lens", description="Keep the camera still."),),
        strengths=_GENERAL,
        quality=4,
        price_unit=PriceUnit.SECOND,
        expected_seconds=timedelta(seconds=120),
        webhook_expected=True,
        limits=LIMITS,
    ),
    VideoModel(
        id="kie/kling-2.6",
        provider="kie",
        vendor_model="kling-2.6",
        name="Kling 2.6 (Kie)",
        description="Kuaishou's model with sound. A clip from an image keeps the image's own ratio.",
        modes=frozenset({Mode.TEXT, Mode.IMAGE}),
        default_duration=5,
        durations=(5, 10),
        resolutions=("720p",),
        ratios=("16:9", "9:16", "1:1"),
        max_prompt_length=1_000,
        audio=True,
        strengths=frozenset({ContentType.PERSON, ContentType.ACTION, ContentType.PRODUCT}),
        quality=4,
        price_unit=PriceUnit.SECOND,
        expected_seconds=timedelta(seconds=180),
        webhook_expected=True,
        limits=LIMITS,
    ),
    VideoModel(
        id="kie/wan-2.7",
        provider="kie",
        vendor_model="wan/2-7-text-to-video",
        name="Wan 2.7 (Kie)",
        description="Alibaba's model: text only, with a negative prompt of up to 500 characters and a seed.",
        modes=frozenset({Mode.TEXT}),
        default_duration=5,
        durations=range(2, 16),
        resolutions=("720p", "1080p"),
        ratios=("16:9", "9:16", "1:1", "4:3", "3:4"),
        max_prompt_length=5_000,
        negative_prompt=True,
        enhance=True,
        seed=True,
        strengths=frozenset({ContentType.LANDSCAPE, ContentType.ANIMATION, ContentType.OTHER}),
        quality=4,
        price_unit=PriceUnit.SECOND,
        expected_seconds=timedelta(seconds=150),
        webhook_expected=True,
        limits=LIMITS,
    ),
    VideoModel(
        id="kie/grok-imagine",
        provider="kie",
        vendor_model="grok-imagine/text-to-video",
        name="Grok Imagine (Kie)",
        description="xAI's model, quick and long: up to 30 seconds, text only.",
        modes=frozenset({Mode.TEXT}),
        default_duration=6,
        durations=range(6, 31),
        resolutions=("480p", "720p"),
        ratios=("16:9", "9:16", "1:1", "3:2", "2:3"),
        max_prompt_length=5_000,
        controls=(
            ChoiceControl(
                name="mode",
                description="How it takes the prompt.",
                choices=("normal", "fun"),
                default="normal",
            ),
        ),
        strengths=frozenset({ContentType.ANIMATION, ContentType.OTHER}),
        quality=3,
        price_unit=PriceUnit.SECOND,
        expected_seconds=timedelta(seconds=60),
        webhook_expected=True,
        limits=LIMITS,
    ),
    VideoModel(
        id="kie/grok-imagine-1.5",
        provider="kie",
        vendor_model="grok-imagine-video-1-5-preview",
        name="Grok Imagine 1.5 (Kie)",
        description="xAI's newer model, a preview: from text or an image, the cheapest of Kie's.",
        modes=frozenset({Mode.TEXT, Mode.IMAGE}),
        default_duration=8,
        durations=range(1, 16),
        resolutions=("480p", "720p"),
        ratios=("16:9", "9:16", "1:1", "3:2", "2:3"),
        max_prompt_length=4_096,
        strengths=frozenset({ContentType.ANIMATION, ContentType.PERSON, ContentType.OTHER}),
        quality=3,
        price_unit=PriceUnit.SECOND,
        expected_seconds=timedelta(seconds=60),
        webhook_expected=True,
        limits=LIMITS,
    ),
    VideoModel(
        id="kie/gemini-omni",
        provider="kie",
        vendor_model="gemini-omni-video",
        name="Gemini Omni (Kie)",
        description="Google's model: from text, a picture to go by, or a video (at most 30 s and 100 MB) to change.",
        modes=frozenset({Mode.TEXT, Mode.IMAGE, Mode.VIDEO}),
        source_sets_length=True,
        default_duration=8,
        durations=(4, 6, 8, 10),
        resolutions=("720p", "1080p", "4K"),
        ratios=("16:9", "9:16"),
        max_prompt_length=20_000,
        seed=True,
        strengths=_GENERAL,
        quality=5,
        price_unit=PriceUnit.SECOND,
        expected_seconds=timedelta(seconds=180),
        webhook_expected=True,
        limits=LIMITS,
    ),
    VideoModel(
        id="kie/veo3",
        provider="kie",
        vendor_model="veo3",
        name="Veo 3.1 (Kie)",
        description="Google's Veo 3.1 in full quality. It always makes sound.",
        modes=frozenset({Mode.TEXT, Mode.IMAGE, Mode.FIRST_LAST}),
        default_duration=8,
        durations=(4, 6, 8),
        resolutions=("720p", "1080p", "4K"),
        ratios=("16:9", "9:16"),
        max_prompt_length=5_000,
        audio=True,
        controls=_VEO_TRANSLATE,
        strengths=frozenset(ContentType),
        quality=5,
        price_unit=PriceUnit.CLIP,
        expected_seconds=timedelta(seconds=180),
        webhook_expected=True,
        limits=LIMITS,
    ),
    VideoModel(
        id="kie/veo3-fast",
        provider="kie",
        vendor_model="veo3_fast",
        name="Veo 3.1 Fast (Kie)",
        description="Google's Veo 3.1, quicker and cheaper. It always makes sound.",
        modes=frozenset({Mode.TEXT, Mode.IMAGE, Mode.FIRST_LAST}),
        default_duration=8,
        durations=(4, 6, 8),
        resolutions=("720p", "1080p", "4K"),
        ratios=("16:9", "9:16"),
        max_prompt_length=5_000,
        audio=True,
        controls=_VEO_TRANSLATE,
        strengths=frozenset(ContentType),
        quality=4,
        price_unit=PriceUnit.CLIP,
        expected_seconds=timedelta(seconds=90),
        webhook_expected=True,
        limits=LIMITS,
    ),
    VideoModel(
        id="kie/sora-2-text-to-video",
        provider="kie",
        vendor_model="sora-2-text-to-video",
        name="Sora 2 (Kie)",
        description="OpenAI's Sora 2, paused by Kie in June 2026 and gone since: kie/seedance-2 takes its place.",
        modes=frozenset({Mode.TEXT}),
        default_duration=10,
        durations=(10, 15),
        resolutions=("720p",),
        ratios=("16:9", "9:16"),
        max_prompt_length=5_000,
        deprecated_at=_UPSTREAM_PAUSED,
        retires_at=_SORA_RETIRED,
        successor="kie/seedance-2",
        strengths=frozenset(),
        quality=4,
        price_unit=PriceUnit.SECOND,
        expected_seconds=timedelta(seconds=180),
        webhook_expected=True,
        limits=LIMITS,
    ),
    VideoModel(
        id="kie/sora-2-image-to-video",
        provider="kie",
        vendor_model="sora-2-image-to-video",
        name="Sora 2 from an image (Kie)",
        description="OpenAI's Sora 2, paused by Kie in June 2026 and gone since: kie/seedance-2 takes its place.",
        modes=frozenset({Mode.IMAGE}),
        default_duration=10,
        durations=(10, 15),
        resolutions=("720p",),
        ratios=("16:9", "9:16"),
        max_prompt_length=5_000,
        deprecated_at=_UPSTREAM_PAUSED,
        retires_at=_SORA_RETIRED,
        successor="kie/seedance-2",
        strengths=frozenset(),
        quality=4,
        price_unit=PriceUnit.SECOND,
        expected_seconds=timedelta(seconds=180),
        webhook_expected=True,
        limits=LIMITS,
    ),
)

# Kie's word, ours. Everything else is UNKNOWN.
STATES: Mapping[str, RenderState] = {
    "waiting": RenderState.QUEUED,
    "queuing": RenderState.QUEUED,
    "generating": RenderState.RUNNING,
    "success": RenderState.SUCCEEDED,
    "fail": RenderState.FAILED,
}
# Where there is nothing more to come, and a cost is what was charged.
ENDED = frozenset({RenderState.SUCCEEDED, RenderState.FAILED, RenderState.CANCELLED})
# `successFlag` of the Veo API.
VEO_STATES: Mapping[str, RenderState] = {
    "0": RenderState.RUNNING,
    "1": RenderState.SUCCEEDED,
    "2": RenderState.FAILED,
    "3": RenderState.FAILED,
}
# The code of its callbacks, which have no flag.
VEO_CALLBACKS: Mapping[str, RenderState] = {
    "200": RenderState.SUCCEEDED,
    "400": RenderState.FAILED,
    "422": RenderState.FAILED,
    "500": RenderState.FAILED,
    "501": RenderState.FAILED,
}
# The code that a task failed with, ours, and whether the same request may succeed later.
FAILURES: Mapping[str, tuple[FailureCode, bool]] = {
    "400": (FailureCode.INVALID, False),
    "422": (FailureCode.INVALID, False),
    "451": (FailureCode.INPUT_UNREADABLE, False),
    "500": (FailureCode.VENDOR_FAULT, True),
    "501": (FailureCode.VENDOR_FAULT, True),
}
# Codes of a submission that was refused, whatever is said with them.
REFUSALS: Mapping[int, FailureCode] = {
    451: FailureCode.INPUT_UNREADABLE,
    505: FailureCode.MODEL_UNAVAILABLE,
}
BALANCE = frozenset({402, 433})
MAINTENANCE = 455
# What a 500 says that was not accepted, and what it means; any other 500 may have been.
REFUSED_BY_500: Sequence[tuple[str, FailureCode]] = (
    ("paused", FailureCode.MODEL_UNAVAILABLE),
    ("required", FailureCode.INVALID),
    ("invalid", FailureCode.INVALID),
)
# What is in the text of a refusal by the content policy: Kie has no code of its own for it.
OF_THE_POLICY = ("policy", "moderation", "nsfw", "sensitive", "safety")

_ANY_IMAGE = frozenset({"image/jpeg", "image/png", "image/webp"})
_JPEG_OR_PNG = frozenset({"image/jpeg", "image/png"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """How one of Kie's models is asked: its id, and the names and types of its fields. An empty name: it has none."""

    model: str
    seconds_as: type[int] | type[str] = int
    duration: str = "duration"
    ratio: str = "aspect_ratio"
    ratios: Mapping[str, str] | None = None
    """Its own words for ratios; None: ours."""
    resolution: bool = True
    start: str = ""
    end: str = ""
    images: str = ""
    """The list that images go into, where they have no field each."""
    image_types: frozenset[str] = _ANY_IMAGE
    video: str = ""
    """The list that a source video goes into."""
    cut: bool = False
    """Whether a source video is named with the piece of it that is meant, which takes the place of the duration."""
    audio: str = ""
    negative_prompt: int = 0
    """How many characters of it; 0: it takes none."""
    enhance: str = ""
    seed: bool = False
    controls: Mapping[str, object] = field(default_factory=dict)
    """Our controls, which have the vendor's names, and what is sent without them."""
    fixed: Mapping[str, object] = field(default_factory=dict)
    """What is always sent: defaults are not to be relied on."""
    min_prompt: int = 1


_UNFILTERED: Mapping[str, object] = {"nsfw_checker": True}
_SEEDANCE_2 = Wire(
    model="bytedance/seedance-2",
    start="first_frame_url",
    end="last_frame_url",
    video="reference_video_urls",
    audio="generate_audio",
    controls={"web_search": False},
    fixed={"return_last_frame": False, **_UNFILTERED},
    min_prompt=3,
)
_SEEDANCE_1_5 = Wire(
    model="bytedance/seedance-1.5-pro",
    images="input_urls",
    audio="generate_audio",
    controls={"fixed_lens": False},
    fixed=_UNFILTERED,
    min_prompt=3,
)
_GROK_1_5 = Wire(model="grok-imagine-video-1-5-preview", images="image_urls")
_OMNI = Wire(
    model="gemini-omni-video", seconds_as=str, images="image_urls", video="video_list", cut=True, seed=True
)
_SORA = Wire(
    model="sora-2-text-to-video",
    seconds_as=str,
    duration="n_frames",
    ratios={"16:9": "landscape", "9:16": "portrait"},
    resolution=False,
    fixed={"remove_watermark": True},
)
WIRES: Mapping[tuple[str, Mode], Wire] = {
    **dict.fromkeys([(_SEEDANCE_2.model, mode) for mode in Mode], _SEEDANCE_2),
    **dict.fromkeys([(_SEEDANCE_1_5.model, mode) for mode in Mode if mode is not Mode.VIDEO], _SEEDANCE_1_5),
    ("kling-2.6", Mode.TEXT): Wire(
        model="kling-2.6/text-to-video", seconds_as=str, resolution=False, audio="sound"
    ),
    ("kling-2.6", Mode.IMAGE): Wire(
        model="kling-2.6/image-to-video",
        seconds_as=str,
        ratio="",
        resolution=False,
        images="image_urls",
        image_types=_JPEG_OR_PNG,
        audio="sound",
    ),
    ("wan/2-7-text-to-video", Mode.TEXT): Wire(
        model="wan/2-7-text-to-video",
        ratio="ratio",
        negative_prompt=500,
        enhance="prompt_extend",
        seed=True,
        fixed={"watermark": False, **_UNFILTERED},
    ),
    ("grok-imagine/text-to-video", Mode.TEXT): Wire(
        model="grok-imagine/text-to-video", controls={"mode": "normal"}
    ),
    **dict.fromkeys([(_GROK_1_5.model, mode) for mode in (Mode.TEXT, Mode.IMAGE)], _GROK_1_5),
    **dict.fromkeys([(_OMNI.model, mode) for mode in (Mode.TEXT, Mode.IMAGE, Mode.VIDEO)], _OMNI),
    ("sora-2-text-to-video", Mode.TEXT): _SORA,
    ("sora-2-image-to-video", Mode.IMAGE): replace(_SORA, model="sora-2-image-to-video", images="image_urls"),
}
VEO_MODELS = frozenset({"veo3", "veo3_fast"})
VEO_TYPES: Mapping[Mode, str] = {
    Mode.TEXT: "TEXT_2_VIDEO",
    # One image is the start, two are start and end.
    Mode.IMAGE: "FIRST_AND_LAST_FRAMES_2_VIDEO",
    Mode.FIRST_LAST: "FIRST_AND_LAST_FRAMES_2_VIDEO",
}
# Our name, Kie's. The others are the same.
RESOLUTIONS: Mapping[str, str] = {"4K": "4k"}


class KieProvider(VideoProvider):
    name = "kie"
    settings: ClassVar[Sequence[str]] = ("KIE_API_KEY", "KIE_URL")
    optional: ClassVar[Sequence[str]] = ("KIE_WEBHOOK_SECRET",)
    defaults: ClassVar[Mapping[str, str]] = {"KIE_URL": "https://api.kie.ai"}
    webhooks = Webhooks.SIGNED
    reports_cost = True
    notes: ClassVar[Sequence[str]] = (
        (
            "Webhooks are signed only where a key is made in Kie's console and set as KIE_WEBHOOK_SECRET; without it "
            "only the token in our URL speaks for them. The signature covers the task's id and the time, not the body."
        ),
        (
            "Kie has no cancel, no list and no idempotency key: a submission whose answer is lost is paid for if it was "
            "taken, and only its webhook can tell."
        ),
        (
            "A code 500 counts as refused only where its text says paused, required or invalid; any other may have been "
            "accepted."
        ),
        "Which HTTP status comes with which code is not confirmed: the worse of the two counts.",
        "Result links are said to live 14 days in one place and 24 hours in another: copies are made at once.",
        (
            "Of Seedance 1.5 Pro it is not confirmed that a second image is the last frame, of Grok Imagine 1.5 that it "
            "takes text alone, of Grok Imagine that its duration is a whole number."
        ),
        "Kling 2.6 takes no resolution; what it delivers is listed as 720p, which is not confirmed.",
        "Grok Imagine's mode `spicy` is not offered.",
        "To Gemini Omni an image is something to go by, and whether it becomes the first frame is not confirmed.",
        "Of Veo neither the longest prompt nor the fields that a failure is told in are confirmed.",
        "Prices are confirmed for Seedance 1.5 Pro and Grok Imagine 1.5 only; what a task cost is in its answer.",
    )

    def __init__(
        self, *, url: str, api_key: str, webhook_secrets: Sequence[str] = (), http: Client | None = None
    ) -> None:
        """`webhook_secrets` are tried in turn, to rotate them; none: webhooks are taken unsigned."""
        self._url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {api_key}"}
        self._webhook_secrets = tuple(webhook_secrets)
        self._http = http

    @classmethod
    def from_settings(cls, values: Mapping[str, str]) -> Self:
        return cls(
            url=values["KIE_URL"],
            api_key=values["KIE_API_KEY"],
            webhook_secrets=secrets_of(values.get("KIE_WEBHOOK_SECRET", "")),
        )

    def submit(self, request: RenderRequest, *, client_token: str, callback_url: str | None) -> Submission:
        veo = request.model in VEO_MODELS
        order = _veo_order(request) if veo else _order(request)
        if callback_url is not None:
            order["callBackUrl"] = callback_url
        path = "/api/v1/veo/generate" if veo else "/api/v1/jobs/createTask"
        try:
            answer = self._client.request("POST", f"{self._url}{path}", headers=self._headers, json=order)
        except HttpError as error:
            raise submission_error(self.name, error) from None
        envelope = _envelope(answer)
        if not answer.ok or not 200 <= envelope.code < 300:
            raise self._not_accepted(answer, envelope)
        match envelope.data:
            case {"taskId": str(task_id)} if task_id:
                return Submission(
                    external_id=f"{VEO}{task_id}" if veo else task_id, vendor_state=str(envelope.code)
                )
            case _:
                raise OutcomeUnknown(self.name)

    def fetch(self, external_id: str) -> RenderUpdate:
        veo = external_id.startswith(VEO)
        task_id = quote(external_id.removeprefix(VEO), safe="")
        route = "veo/record-info" if veo else "jobs/recordInfo"
        envelope = self._get(f"/api/v1/{route}?taskId={task_id}")
        update = self._veo_update(envelope) if veo else self._update(envelope)
        if update.external_id != external_id:
            raise ReadFailed(self.name)
        return update

    def read_webhook(self, headers: Mapping[str, str], body: bytes) -> list[RenderUpdate]:
        try:
            message = loads(body)
        except (JSONDecodeError, UnicodeDecodeError, RecursionError):
            message = None
        if self._webhook_secrets:
            # The body is not signed, only what it speaks of.
            self._verify({name.lower(): value for name, value in headers.items()}, _task_id(message))
        envelope = _read(message)
        match envelope.data:
            case {"state": str()}:
                return [self._update(envelope)]
            case dict():
                return [self._veo_update(envelope)]
            case _:
                raise ReadFailed(self.name)

    def account(self) -> AccountStanding:
        credits = _number(self._get("/api/v1/chat/credit").data)
        if credits is None:
            raise ReadFailed(self.name)
        return AccountStanding(balance=credits * USD_PER_CREDIT, currency="USD")

    @property
    def verifies_webhooks(self) -> bool:
        return bool(self._webhook_secrets)

    @property
    def _client(self) -> Client:
        return self._http or client()

    def _get(self, path: str) -> "Envelope":
        """The envelope of a look, also one that tells of a task that failed."""
        try:
            answer = self._client.request("GET", f"{self._url}{path}", headers=self._headers)
        except HttpError as error:
            raise read_error(self.name, error) from None
        envelope = _envelope(answer)
        code = max(answer.status, envelope.code)
        tells = answer.ok and isinstance(envelope.data, dict) and envelope.code in (400, 501)
        if (answer.ok and 200 <= envelope.code < 300) or tells:
            return envelope
        if code in BALANCE:
            raise BalanceUsedUp(self.name)
        if code == MAINTENANCE:
            raise RateLimited(self.name, retry_after=answer.retry_after or MAINTENANCE_WAIT)
        if code == 422 and "null" in envelope.text:
            raise JobNotFound(self.name)
        raise read_error(self.name, _with_status(answer, code))

    def _not_accepted(self, answer: Answer, envelope: "Envelope") -> ProviderError:
        """What an answer that is no receipt means for the money."""
        code = max(answer.status, envelope.code)
        if code in BALANCE:
            return BalanceUsedUp(self.name)
        if code in (429, MAINTENANCE):
            wait = MAINTENANCE_WAIT if code == MAINTENANCE else RATE_LIMIT_WAIT
            return RateLimited(self.name, retry_after=answer.retry_after or wait)
        if code in REFUSALS:
            return RequestRefused(self.name, code=REFUSALS[code])
        if code == 500:
            for word, refusal in REFUSED_BY_500:
                if word in envelope.text:
                    return RequestRefused(self.name, code=refusal)
        refusal = FailureCode.MODERATED if _of_the_policy(envelope.text) else FailureCode.INVALID
        return submission_error(self.name, _with_status(answer, code), refusal=refusal)

    def _update(self, envelope: "Envelope") -> RenderUpdate:
        data = envelope.data if isinstance(envelope.data, dict) else {}
        task_id, word = _task_id({"data": data}), data.get("state")
        if not task_id or not isinstance(word, str):
            raise ReadFailed(self.name)
        return self._told(
            task_id,
            word,
            STATES.get(word, RenderState.UNKNOWN),
            url=_first_url(_inner(data.get("resultJson"))),
            code=str(data.get("failCode") or envelope.code),
            text=str(data.get("failMsg") or "").casefold() or envelope.text,
            data=data,
        )

    def _veo_update(self, envelope: "Envelope") -> RenderUpdate:
        data = envelope.data if isinstance(envelope.data, dict) else {}
        task_id = _task_id({"data": data})
        if not task_id:
            raise ReadFailed(self.name)
        if "successFlag" in data:
            word = str(data["successFlag"])
            state = VEO_STATES.get(word, RenderState.UNKNOWN)
        elif envelope.code:
            word = str(envelope.code)
            state = VEO_CALLBACKS.get(word, RenderState.UNKNOWN)
        else:
            raise ReadFailed(self.name)
        return self._told(
            f"{VEO}{task_id}",
            word,
            state,
            url=_first_url(data.get("response")) or _first_url(data.get("info")),
            code=str(data.get("errorCode") or envelope.code),
            text=str(data.get("errorMessage") or "").casefold() or envelope.text,
            data=data,
        )

    def _told(
        self,
        external_id: str,
        word: str,
        state: RenderState,
        *,
        url: str | None,
        code: str,
        text: str,
        data: Mapping[str, Any],
    ) -> RenderUpdate:
        failure: ProviderError | None = None
        if state is RenderState.SUCCEEDED and url is None:
            state = RenderState.FAILED
            failure = RenderFailed(self.name, code=FailureCode.NO_MEDIA, retryable=True)
        elif state is RenderState.FAILED:
            reason, retryable = FAILURES.get(code, (FailureCode.VENDOR_FAULT, False))
            if _of_the_policy(text):
                reason, retryable = FailureCode.MODERATED, False
            failure = RenderFailed(self.name, code=reason, retryable=retryable)
        # While it is made nothing is charged yet, and 0 is no cost.
        credits = _number(data.get("creditsConsumed")) if state in ENDED else None
        progress = data.get("progress")
        return RenderUpdate(
            external_id=external_id,
            state=state,
            vendor_state=word,
            progress=progress if type(progress) is int and 0 <= progress <= 100 else None,
            output=OutputSource(url=url) if url is not None and state is RenderState.SUCCEEDED else None,
            failure=failure,
            cost=Cost(amount=credits * USD_PER_CREDIT, currency="USD") if credits is not None else None,
        )

    def _verify(self, headers: Mapping[str, str], task_id: str) -> None:
        """Raises BadSignature unless one of our secrets signed this task's id within the last five minutes."""
        at, given = headers.get("x-webhook-timestamp", ""), headers.get("x-webhook-signature", "")
        known = task_id and at.isascii() and at.isdecimal() and len(at) <= 12
        if not known or abs(time.time() - int(at)) > TOLERANCE_SECONDS:
            raise BadSignature(self.name)
        text = f"{task_id}.{at}".encode(errors="surrogatepass")
        for secret in self._webhook_secrets:
            expected = b64encode(hmac.new(secret.encode(), text, sha256).digest())
            if hmac.compare_digest(expected, given.encode(errors="surrogatepass")):
                return
        raise BadSignature(self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """What every answer of Kie comes in; `code` 0 where there is none."""

    code: int = 0
    text: str = field(default="", repr=False)
    """In lower case, to look for words in."""
    data: Any = field(default=None, repr=False)


def _envelope(answer: Answer) -> Envelope:
    try:
        return _read(answer.json())
    except UnusableBody:
        return Envelope()


def _read(message: object) -> Envelope:
    if not isinstance(message, dict) or type(message.get("code")) is not int:
        return Envelope()
    text = message.get("msg") or message.get("message") or ""
    return Envelope(code=message["code"], text=str(text).casefold(), data=message.get("data"))


def _with_status(answer: Answer, code: int) -> BadStatus:
    """As if the code had been the HTTP status: an answer without a code is one that nobody understands."""
    return BadStatus(answer.host, replace(answer, status=code))


def _order(request: RenderRequest) -> dict[str, object]:
    wire = WIRES.get((request.model, request.mode))
    if wire is None:
        raise UnsupportedFeature(KieProvider.name, f"{request.mode} with this model")
    _check(
        request,
        negative_prompt=wire.negative_prompt,
        audio=bool(wire.audio),
        enhance=bool(wire.enhance),
        seed=wire.seed,
        controls=frozenset(wire.controls),
        image_types=wire.image_types,
        image_beside_video=bool(wire.images),
    )
    if len(request.prompt) < wire.min_prompt:
        raise UnsupportedFeature(KieProvider.name, f"a prompt of fewer than {wire.min_prompt} characters")
    sent: dict[str, object] = {"prompt": request.prompt}
    if wire.ratio:
        words = wire.ratios or {request.ratio: request.ratio}
        if request.ratio not in words:
            raise UnsupportedFeature(KieProvider.name, "this ratio")
        sent[wire.ratio] = words[request.ratio]
    if wire.resolution:
        sent["resolution"] = RESOLUTIONS.get(request.resolution, request.resolution)
    sent[wire.duration] = wire.seconds_as(request.duration_seconds)
    sent |= _inputs(request, wire)
    if request.negative_prompt:
        sent["negative_prompt"] = request.negative_prompt
    if wire.audio:
        sent[wire.audio] = request.audio
    if wire.enhance:
        sent[wire.enhance] = request.enhance
    if request.seed is not None:
        sent["seed"] = request.seed
    sent |= {name: request.controls.get(name, usual) for name, usual in wire.controls.items()}
    return {"model": wire.model, "input": {**sent, **wire.fixed}}


def _inputs(request: RenderRequest, wire: Wire) -> dict[str, object]:
    sent: dict[str, object] = {}
    if wire.images and (images := _links(request.start_image, request.end_image)):
        sent[wire.images] = images
    if wire.start and request.start_image is not None:
        sent[wire.start] = request.start_image.url
    if wire.end and request.end_image is not None:
        sent[wire.end] = request.end_image.url
    if request.source_video is not None:
        url = request.source_video.url
        piece = {"url": url, "start": 0, "ends": request.duration_seconds}
        sent[wire.video] = [piece if wire.cut else url]
    return sent


def _veo_order(request: RenderRequest) -> dict[str, object]:
    if request.mode not in VEO_TYPES:
        raise UnsupportedFeature(KieProvider.name, f"{request.mode} with this model")
    _check(request, audio=True, controls=frozenset({"translate"}), image_types=_ANY_IMAGE)
    order: dict[str, object] = {
        "model": request.model,
        "prompt": request.prompt,
        "generationType": VEO_TYPES[request.mode],
        "aspectRatio": request.ratio,
        "resolution": RESOLUTIONS.get(request.resolution, request.resolution),
        "duration": request.duration_seconds,
        "enableTranslation": request.controls.get("translate", False),
    }
    if images := _links(request.start_image, request.end_image):
        order["imageUrls"] = images
    return order


def _check(
    request: RenderRequest,
    *,
    negative_prompt: int = 0,
    audio: bool = False,
    enhance: bool = False,
    seed: bool = False,
    controls: frozenset[str] = frozenset(),
    image_types: frozenset[str],
    image_beside_video: bool = False,
) -> None:
    """Raises UnsupportedFeature for what is asked and can't be said."""
    start, end, video = request.start_image, request.end_image, request.source_video
    of_mode = {
        Mode.TEXT: [(False, False, False)],
        Mode.IMAGE: [(True, False, False)],
        Mode.FIRST_LAST: [(True, True, False)],
        Mode.VIDEO: [(False, False, True)] + ([(True, False, True)] if image_beside_video else []),
    }
    wanted = [
        (
            (start is not None, end is not None, video is not None) not in of_mode[request.mode],
            "these inputs",
        ),
        (any(one and one.media_type not in image_types for one in (start, end)), "this type of image"),
        (request.style is not None, "style"),
        (request.audio and not audio, "audio"),
        (request.enhance and not enhance, "prompt enhancement"),
        (request.seed is not None and not seed, "seed"),
        (bool(request.negative_prompt) and not negative_prompt, "negative prompt"),
        (
            len(request.negative_prompt) > negative_prompt,
            f"a negative prompt of more than {negative_prompt} characters",
        ),
        *((name not in controls, f"the control {name}") for name in request.controls),
    ]
    for missing, feature in wanted:
        if missing:
            raise UnsupportedFeature(KieProvider.name, feature)


def _links(*media: InputMedia | None) -> list[str]:
    return [one.url for one in media if one is not None]


def _task_id(message: object) -> str:
    match message:
        case {"data": {"taskId": str(task_id)}} | {"data": {"task_id": str(task_id)}}:
            return task_id
        case _:
            return ""


def _inner(text: object) -> object:
    """What JSON inside of JSON says."""
    try:
        return loads(text) if isinstance(text, str) else None
    except (JSONDecodeError, RecursionError):
        return None


def _first_url(result: object) -> str | None:
    match result:
        case {"resultUrls": [str(url), *_]} if url.startswith(("https://", "http://")):
            return url
        case _:
            return None


def _number(value: object) -> Decimal | None:
    """What is no negative number is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    number = Decimal(str(value))
    return number if number.is_finite() and number >= 0 else None


def _of_the_policy(text: str) -> bool:
    return any(word in text for word in OF_THE_POLICY)
