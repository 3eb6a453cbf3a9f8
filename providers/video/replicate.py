"""Replicate: the models of many behind one API (v1; replicate.com/docs and its OpenAPI description).

Official models are run by name, community models by the id of a version. What a model takes, and how operators add
further ones, is in `replicate_inputs`; those are read when the process starts.
"""

import json
import re
import threading
import time
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, ClassVar, Self
from urllib.parse import quote, urlencode, urlsplit

from django.conf import settings

from providers.contract import (
    CancelOutcome,
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
    BalanceUsedUp,
    FailureCode,
    OutcomeUnknown,
    ProviderError,
    RateLimited,
    ReadFailed,
    RenderFailed,
    RequestRefused,
)
from providers.facts import (
    ChoiceControl,
    ContentType,
    Control,
    NumberControl,
    PriceUnit,
    Restriction,
    VideoModel,
)
from providers.http import BadStatus, Client, HttpError, UnusableBody, client, origin
from providers.signatures import secrets_of, verify
from providers.submission import read_error, submission_error

from .replicate_inputs import LIMITS, NAME, Shape, input_of, own_models, shape_of

# From the creation on. What runs is stopped by Replicate after 30 minutes, what waits would wait on.
CANCEL_AFTER = "1h"
EVENTS = ("start", "completed")
# Input, output and files of a prediction are deleted so long after its end.
KEPT = timedelta(hours=1)
FILE_HOST = "replicate.delivery"
# A signature that fails may be one of a new secret: the secret is asked for again, but not at every forgery.
SECRET_AGAIN_AFTER = 60.0
PAGES = 10

# Replicate's word, ours. Everything else is UNKNOWN.
STATES: Mapping[str, RenderState] = {
    "starting": RenderState.QUEUED,
    "processing": RenderState.RUNNING,
    "succeeded": RenderState.SUCCEEDED,
    "failed": RenderState.FAILED,
    "canceled": RenderState.CANCELLED,
    # Its deadline came before a worker did.
    "aborted": RenderState.CANCELLED,
}
# A failure is free text. What it speaks of, in lower case, our code, and whether the same request may succeed later.
FAILURES: Sequence[tuple[Sequence[str], FailureCode, bool]] = (
    (
        (
            "nsfw",
            "sensitive",
            "moderat",
            "flagged",
            "content policy",
            "safety",
            "prohibited",
            "inappropriate",
        ),
        FailureCode.MODERATED,
        False,
    ),
    (
        (
            "cannot identify image",
            "invalid image",
            "failed to download",
            "could not download",
            "unsupported image",
        ),
        FailureCode.INPUT_UNREADABLE,
        False,
    ),
    (("please retry", "try again", "temporarily unavailable"), FailureCode.VENDOR_FAULT, True),
)
# What a 422 speaks of when it is not about a value: a version that is gone or not ours to run.
OF_THE_MODEL = ("version", "permi")

_PROMPT = {"type": "string"}
_FILE = {"type": "string", "format": "uri"}
_OPTIMIZER = {"type": "boolean", "default": True}
_LENGTH = {"type": "integer", "enum": [6, 10], "default": 6}


def _string(*words: str, default: str) -> dict[str, Any]:
    return {"type": "string", "enum": list(words), "default": default}


HAILUO_02: Mapping[str, Any] = {
    "required": ["prompt"],
    "properties": {
        "prompt": _PROMPT,
        "first_frame_image": _FILE,
        "last_frame_image": _FILE,
        "duration": _LENGTH,
        "resolution": _string("512p", "768p", "1080p", default="1080p"),
        "prompt_optimizer": _OPTIMIZER,
    },
}
HAILUO_2_3: Mapping[str, Any] = {
    "required": ["prompt"],
    "properties": {
        "prompt": _PROMPT,
        "first_frame_image": _FILE,
        "duration": _LENGTH,
        "resolution": _string("768p", "1080p", default="768p"),
        "prompt_optimizer": _OPTIMIZER,
    },
}
STABLE_VIDEO_DIFFUSION: Mapping[str, Any] = {
    "required": ["input_image"],
    "properties": {
        "input_image": _FILE,
        "video_length": _string("14_frames_with_svd", "25_frames_with_svd_xt", default="14_frames_with_svd"),
        "sizing_strategy": _string("maintain_aspect_ratio", "crop_to_16_9", default="maintain_aspect_ratio"),
        "frames_per_second": {"type": "integer", "minimum": 5, "maximum": 30, "default": 6},
        "motion_bucket_id": {"type": "integer", "minimum": 1, "maximum": 255, "default": 127},
        "cond_aug": {"type": "number", "minimum": 0, "maximum": 1, "default": 0.02},
        "decoding_t": {"type": "integer", "minimum": 1, "maximum": 25, "default": 14},
        "seed": {"type": "integer"},
    },
}
SVD_CONTROLS: Sequence[Control] = (
    ChoiceControl(name="frames", description="How many frames it makes.", choices=("14", "25"), default="14"),
    NumberControl(
        name="fps",
        description="Frames a second: with the frames it decides how long the clip is.",
        minimum=5,
        maximum=30,
        whole=True,
        default=8,
    ),
    NumberControl(
        name="motion_bucket_id",
        description="How much moves, from 1 to 255.",
        minimum=1,
        maximum=255,
        whole=True,
        default=127,
    ),
    NumberControl(
        name="cond_aug",
        description="Noise that is added to the start image: more of it moves more and keeps less.",
        minimum=0,
        maximum=1,
        default=0.02,
    ),
    NumberControl(
        name="decoding_t",
        description="Frames that are decoded at once: fewer need less memory.",
        minimum=1,
        maximum=25,
        whole=True,
        default=7,
    ),
    ChoiceControl(
        name="sizing",
        description="Keep the start image's form, or crop it to 16:9.",
        choices=("maintain_aspect_ratio", "crop_to_16_9"),
        default="maintain_aspect_ratio",
    ),
)
SVD_PROPERTIES = {
    "frames": "video_length",
    "fps": "frames_per_second",
    "motion_bucket_id": "motion_bucket_id",
    "cond_aug": "cond_aug",
    "decoding_t": "decoding_t",
    "sizing": "sizing_strategy",
}

_HAILUO_RESTRICTION = {
    "hailuo-02": (
        Restriction(resolutions=("512p", "1080p"), durations=(6,)),
        Restriction(modes=frozenset({Mode.FIRST_LAST}), resolutions=("512p",)),
    ),
    "hailuo-2.3": (Restriction(resolutions=("1080p",), durations=(6,)),),
}

BUILT_IN = (
    VideoModel(
        id="replicate/hailuo-02",
        provider=NAME,
        vendor_model="minimax/hailuo-02",
        name="Hailuo 02 on Replicate",
        description="MiniMax's Hailuo 02. A clip from a start image has that image's form.",
        modes=frozenset({Mode.TEXT, Mode.IMAGE, Mode.FIRST_LAST}),
        default_duration=6,
        durations=(6, 10),
        resolutions=("768p", "512p", "1080p"),
        restrictions=_HAILUO_RESTRICTION["hailuo-02"],
        ratios=("16:9",),
        max_prompt_length=2_000,
        enhance=True,
        strengths=frozenset({ContentType.PERSON, ContentType.ACTION, ContentType.LANDSCAPE}),
        quality=4,
        price_unit=PriceUnit.SECOND,
        expected_seconds=timedelta(minutes=4),
        webhook_expected=True,
        limits=LIMITS,
    ),
    VideoModel(
        id="replicate/hailuo-2.3",
        provider=NAME,
        vendor_model="minimax/hailuo-2.3",
        name="Hailuo 2.3 on Replicate",
        description="MiniMax's Hailuo 2.3. A clip from a start image has that image's form.",
        modes=frozenset({Mode.TEXT, Mode.IMAGE}),
        default_duration=6,
        durations=(6, 10),
        resolutions=("768p", "1080p"),
        restrictions=_HAILUO_RESTRICTION["hailuo-2.3"],
        ratios=("16:9",),
        max_prompt_length=2_000,
        enhance=True,
        strengths=frozenset({ContentType.PERSON, ContentType.ACTION, ContentType.ANIMATION}),
        quality=4,
        price_unit=PriceUnit.SECOND,
        expected_seconds=timedelta(minutes=4),
        webhook_expected=True,
        limits=LIMITS,
    ),
    VideoModel(
        id="replicate/stable-video-diffusion",
        provider=NAME,
        vendor_model="stability-ai/stable-video-diffusion",
        name="Stable Video Diffusion on Replicate",
        description="Moves a start image for about two seconds, without a prompt: 14 or 25 frames, 1024x576 or 576x1024.",
        modes=frozenset({Mode.IMAGE}),
        default_duration=2,
        durations=(2,),
        resolutions=("576p",),
        ratios=("16:9", "9:16"),
        max_prompt_length=0,
        seed=True,
        controls=SVD_CONTROLS,
        strengths=frozenset({ContentType.LANDSCAPE, ContentType.PRODUCT}),
        quality=1,
        price_unit=PriceUnit.CLIP,
        expected_seconds=timedelta(minutes=2),
        webhook_expected=True,
        limits=LIMITS,
    ),
)


def _built_in(model: VideoModel, schema: Mapping[str, Any], fields: Mapping[str, str], **more: Any) -> Shape:
    return shape_of(
        schema,
        fields,
        where=model.id,
        durations=model.durations,
        resolutions=model.resolutions,
        ratios=model.ratios,
        **more,
    )


_HAILUO_FIELDS = {
    "prompt": "prompt",
    "start_image": "first_frame_image",
    "duration": "duration",
    "resolution": "resolution",
    "enhance": "prompt_optimizer",
}
OWN_MODELS = own_models(
    settings.ENVIRONMENT.str("REPLICATE_MODELS", "").strip(),
    {model.id for model in BUILT_IN} | {model.vendor_model for model in BUILT_IN},
)
MODELS: tuple[VideoModel, ...] = (*BUILT_IN, *(own.model for own in OWN_MODELS))
SHAPES: Mapping[str, Shape] = MappingProxyType(
    {
        "minimax/hailuo-02": _built_in(
            BUILT_IN[0], HAILUO_02, _HAILUO_FIELDS | {"end_image": "last_frame_image"}
        ),
        "minimax/hailuo-2.3": _built_in(BUILT_IN[1], HAILUO_2_3, _HAILUO_FIELDS),
        "stability-ai/stable-video-diffusion": _built_in(
            BUILT_IN[2],
            STABLE_VIDEO_DIFFUSION,
            {"start_image": "input_image", "seed": "seed"},
            version="3f0457e4619daac51203dedb472816fd4af51f3149fa7a9e0b5ffcf1b8172438",
            controls=SVD_PROPERTIES,
            words={"video_length": {"14": "14_frames_with_svd", "25": "25_frames_with_svd_xt"}},
            defaults={"frames_per_second": 8, "decoding_t": 7},
            sizes="1024x576 or 576x1024",
        ),
        **{own.model.vendor_model: own.shape for own in OWN_MODELS},
    }
)


class ReplicateProvider(VideoProvider):
    name = NAME
    settings: ClassVar[Sequence[str]] = ("REPLICATE_API_KEY", "REPLICATE_URL")
    optional: ClassVar[Sequence[str]] = ("REPLICATE_WEBHOOK_SECRET", "REPLICATE_MODELS")
    defaults: ClassVar[Mapping[str, str]] = {"REPLICATE_URL": "https://api.replicate.com/v1"}
    webhooks = Webhooks.SIGNED
    notes: ClassVar[Sequence[str]] = (
        "Without REPLICATE_WEBHOOK_SECRET the secret is fetched, and again once a minute while signatures fail.",
        "A model of REPLICATE_MODELS can't be used until it has a price: `manage.py publish_rate_card`.",
        "The vendor_cost of an entry of REPLICATE_MODELS is what that card should say; no card is made of it.",
        "Replicate reports no cost; its own prices of Hailuo are unconfirmed, our cards begin with MiniMax's.",
        "Stable Video Diffusion is paid by seconds of hardware, and whether its version is still run is unconfirmed.",
        "Failures come as free text: what is not recognised is a fault of the vendor that is not tried again.",
        "Whether a webhook comes for a prediction that was aborted before it began is unconfirmed: polls find it.",
        "Whether a 429 carries Retry-After is unconfirmed: else its text says how long to wait.",
        "Inputs and outputs are deleted one hour after a prediction ends.",
    )

    def __init__(
        self,
        *,
        url: str,
        api_key: str,
        webhook_secrets: Sequence[str] = (),
        shapes: Mapping[str, Shape] = SHAPES,
        http: Client | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`webhook_secrets` are tried in turn; none: the account's is fetched. `http` replaces the process's client."""
        self._url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {api_key}"}
        self._shapes = shapes
        self._http = http
        self._secret = _Secret(self._fetched_secret, webhook_secrets, clock)

    @classmethod
    def from_settings(cls, values: Mapping[str, str]) -> Self:
        return cls(
            url=values["REPLICATE_URL"],
            api_key=values["REPLICATE_API_KEY"],
            webhook_secrets=secrets_of(values.get("REPLICATE_WEBHOOK_SECRET", "")),
        )

    def submit(self, request: RenderRequest, *, client_token: str, callback_url: str | None) -> Submission:
        shape = self._shapes.get(request.model)
        if shape is None:
            raise RequestRefused(self.name, code=FailureCode.MODEL_UNAVAILABLE)
        order: dict[str, object] = {"input": input_of(shape, request)}
        path = "/predictions"
        if shape.version is None:
            owner, _, name = request.model.partition("/")
            path = f"/models/{quote(owner, safe='')}/{quote(name, safe='')}/predictions"
        else:
            order["version"] = shape.version
        if callback_url is not None:
            order |= {"webhook": callback_url, "webhook_events_filter": list(EVENTS)}
        headers = self._headers | {"Cancel-After": CANCEL_AFTER}
        try:
            answer = self._client.post_json(f"{self._url}{path}", order, headers=headers)
        except HttpError as error:
            raise self._submission_error(error) from None
        match answer:
            case {"id": str(external_id), "status": str(word)} if external_id:
                return Submission(external_id=external_id, vendor_state=word)
            case _:
                raise OutcomeUnknown(self.name)

    def fetch(self, external_id: str) -> RenderUpdate:
        return self._update(self._get(f"{self._url}/predictions/{quote(external_id, safe='')}"))

    def cancel(self, external_id: str) -> CancelOutcome:
        try:
            answer = self._client.post_json(
                f"{self._url}/predictions/{quote(external_id, safe='')}/cancel", headers=self._headers
            )
        except HttpError as error:
            raise self._read_error(error) from None
        match answer:
            case {"status": "succeeded" | "failed"}:
                return CancelOutcome.TOO_LATE
            case _:
                return CancelOutcome.ACCEPTED

    def find(self, client_token: str, *, request: RenderRequest, since: datetime) -> RenderUpdate | None:
        shape = self._shapes.get(request.model)
        if shape is None:
            return None
        wanted = _without_signatures(input_of(shape, request))
        found = [
            prediction
            for prediction in self._predictions(since)
            if _is_of(prediction, request.model, shape)
            and _without_signatures(prediction.get("input")) == wanted
        ]
        return self._update(found[0]) if len(found) == 1 else None

    def listed(self, since: datetime) -> Sequence[Listed]:
        return [
            Listed(
                external_id=prediction["id"],
                state=STATES.get(prediction["status"], RenderState.UNKNOWN),
                created_at=_time(prediction.get("created_at")),
            )
            for prediction in self._predictions(since)
        ]

    def read_webhook(self, headers: Mapping[str, str], body: bytes) -> list[RenderUpdate]:
        event_id = self._secret.verified(headers, body)
        try:
            prediction = json.loads(body)
        except (ValueError, RecursionError):
            raise ReadFailed(self.name) from None
        return [self._update(prediction, event_id=event_id)]

    @property
    def _client(self) -> Client:
        return self._http or client()

    def _get(self, url: str) -> Any:
        try:
            return self._client.get_json(url, headers=self._headers)
        except HttpError as error:
            raise self._read_error(error) from None

    def _fetched_secret(self) -> str | None:
        """The account's secret, as far as it can be had and used."""
        try:
            answer = self._get(f"{self._url}/webhooks/default/secret")
        except ProviderError:
            return None
        match answer:
            case {"key": str(secret)} if secret.startswith("whsec_"):
                try:
                    b64decode(secret.removeprefix("whsec_"), validate=True)
                except NotBase64:
                    return None
                return secret
            case _:
                return None

    def _predictions(self, since: datetime) -> Iterator[dict[str, Any]]:
        """Those created from `since` on, newest first, at most 1,000. Raises as `fetch`."""
        asked = since.astimezone(UTC).isoformat()
        url = f"{self._url}/predictions?{urlencode({'created_after': asked})}"
        for _ in range(PAGES):
            match self._get(url):
                case {"results": [*results], **page}:
                    pass
                case _:
                    raise ReadFailed(self.name)
            for prediction in results:
                match prediction:
                    case {"id": str(), "status": str()}:
                        created_at = _time(prediction.get("created_at"))
                        if created_at is not None and created_at >= since:
                            yield prediction
            following = page.get("next")
            if not following:
                return
            # The key goes along, so it goes nowhere else.
            if not isinstance(following, str) or not _same_origin(following, self._url):
                raise ReadFailed(self.name)
            url = following

    def _update(self, prediction: Any, *, event_id: str | None = None) -> RenderUpdate:
        match prediction:
            case {"id": str(external_id), "status": str(word)} if external_id:
                pass
            case _:
                raise ReadFailed(self.name)
        state = STATES.get(word, RenderState.UNKNOWN)
        output = self._output(prediction) if state is RenderState.SUCCEEDED else None
        failure: ProviderError | None = None
        if state is RenderState.SUCCEEDED and output is None:
            state = RenderState.FAILED
            failure = RenderFailed(self.name, code=FailureCode.NO_MEDIA, retryable=True)
        elif state is RenderState.FAILED:
            code, retryable = failure_of(prediction.get("error"))
            failure = RenderFailed(self.name, code=code, retryable=retryable)
        return RenderUpdate(
            external_id=external_id,
            state=state,
            vendor_state=word,
            output=output,
            failure=failure,
            event_id=event_id,
        )

    def _output(self, prediction: Mapping[str, Any]) -> OutputSource | None:
        """Where its video is; None where there is none, or none any more."""
        match prediction.get("output"):
            case str(url) | [str(url)] if url.startswith(("https://", "http://")):
                pass
            case _:
                return None
        completed_at = _time(prediction.get("completed_at"))
        return OutputSource(
            url=url,
            headers=self._headers if self._may_see_the_key(url) else {},
            expires_at=completed_at + KEPT if completed_at else None,
        )

    def _may_see_the_key(self, url: str) -> bool:
        """Only Replicate's own files, and the origin that we call anyway."""
        try:
            parts = urlsplit(url)
            host = parts.hostname or ""
        except ValueError:
            return False
        own = parts.scheme == "https" and (host == FILE_HOST or host.endswith(f".{FILE_HOST}"))
        return own or _same_origin(url, self._url)

    def _submission_error(self, error: HttpError) -> ProviderError:
        if isinstance(error, BadStatus):
            match error.status:
                case 402:
                    return BalanceUsedUp(self.name)
                case 404:
                    return RequestRefused(self.name, code=FailureCode.MODEL_UNAVAILABLE)
                case 422 if any(word in _said(error, "title").lower() for word in OF_THE_MODEL):
                    return RequestRefused(self.name, code=FailureCode.MODEL_UNAVAILABLE)
                case 429:
                    return RateLimited(self.name, retry_after=_wait(error))
        return submission_error(self.name, error)

    def _read_error(self, error: HttpError) -> ProviderError:
        if isinstance(error, BadStatus) and error.status == 429:
            return RateLimited(self.name, retry_after=_wait(error))
        return read_error(self.name, error)


class _Secret:
    """What webhooks are signed with: configured, or fetched and fetched again."""

    def __init__(
        self, fetch: Callable[[], str | None], configured: Sequence[str], clock: Callable[[], float]
    ) -> None:
        self._fetch = fetch
        self._configured = tuple(configured)
        self._clock = clock
        self._lock = threading.Lock()
        self._fetched: str | None = None
        self._asked_at: float | None = None

    def verified(self, headers: Mapping[str, str], body: bytes) -> str:
        """The delivery's id. Raises BadSignature."""
        if self._configured:
            return verify(NAME, self._configured, headers, body)
        known = self._fetched
        if known is not None:
            try:
                return verify(NAME, [known], headers, body)
            except BadSignature:
                pass
        newest = self._newest()
        if newest is None or newest == known:
            raise BadSignature(NAME)
        return verify(NAME, [newest], headers, body)

    def _newest(self) -> str | None:
        with self._lock:
            now = self._clock()
            if self._asked_at is None or now - self._asked_at >= SECRET_AGAIN_AFTER:
                self._asked_at = now
                self._fetched = self._fetch() or self._fetched
            return self._fetched


def failure_of(text: object) -> tuple[FailureCode, bool]:
    """What the text of a failure speaks of, and whether to try again."""
    said = text.lower() if isinstance(text, str) else ""
    for words, code, retryable in FAILURES:
        if any(word in said for word in words):
            return code, retryable
    return FailureCode.VENDOR_FAULT, False


def _is_of(prediction: Mapping[str, Any], model: str, shape: Shape) -> bool:
    if shape.version is not None:
        return prediction.get("version") == shape.version
    return prediction.get("model") == model


def _without_signatures(value: object) -> object:
    """An input with links as paths: they are signed anew at every look."""
    if not isinstance(value, dict):
        return None
    return {
        name: one.partition("?")[0]
        if isinstance(one, str) and one.startswith(("https://", "http://"))
        else one
        for name, one in value.items()
    }


def _said(error: BadStatus, name: str) -> str:
    try:
        answer = error.answer.json()
    except UnusableBody:
        return ""
    said = answer.get(name) if isinstance(answer, dict) else None
    return said if isinstance(said, str) else ""


def _wait(error: BadStatus) -> timedelta | None:
    """How long a throttled call shall wait: by its header, else by its text."""
    if error.retry_after is not None:
        return error.retry_after
    found = re.search(r"resets in ~?(\d{1,5})s", _said(error, "detail"))
    return min(timedelta(seconds=int(found[1])), timedelta(hours=1)) if found else None


def _time(value: object) -> datetime | None:
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return at.replace(tzinfo=UTC) if at is not None and at.tzinfo is None else at


def _same_origin(first: str, second: str) -> bool:
    try:
        return origin(first) == origin(second)
    except ValueError:
        return False
