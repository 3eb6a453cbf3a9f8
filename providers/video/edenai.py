"""Eden AI: the video models of several makers behind one key, through its universal API, version 3.

Facts: Eden AI's documentation of 2026-05 to 2026-09, and its open-source code that speaks to the makers (2026-03), which
shows what of a request is handed on. A finished job's answer may hold the whole video as base64 text.
"""

import hashlib
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, ClassVar, Self
from urllib.parse import quote

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from PIL import Image

from providers import inputs
from providers.contract import (
    AccountStanding,
    Cost,
    InputMedia,
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
from providers.embedded_media import cut
from providers.errors import (
    BadSignature,
    BalanceUsedUp,
    FailureCode,
    JobNotFound,
    NotSent,
    OutcomeUnknown,
    ProviderError,
    ReadFailed,
    RenderFailed,
    RequestRefused,
    UnsupportedFeature,
)
from providers.facts import ContentType, PriceUnit, ProviderLimits, VideoModel
from providers.http import BadStatus, Client, HttpError, UnusableBody, client
from providers.submission import read_error, submission_error

# Ten requests a second for everything. 50 jobs polled every ten seconds take half of that.
LIMITS = ProviderLimits(concurrent=50, per_minute=100)
RETIRED = datetime(2026, 7, 27, tzinfo=UTC)

MODELS = (
    VideoModel(
        id="edenai/hailuo-2.3",
        provider="edenai",
        vendor_model="minimax/MiniMax-Hailuo-2.3",
        name="MiniMax Hailuo 2.3 (Eden AI)",
        description="Lively motion and expressive people from text, at a flat price a clip.",
        modes=frozenset({Mode.TEXT}),
        default_duration=6,
        durations=(6, 10),
        resolutions=("768p",),
        ratios=("16:9",),
        max_prompt_length=2_000,
        strengths=frozenset({ContentType.PERSON, ContentType.ACTION, ContentType.ANIMATION}),
        quality=4,
        price_unit=PriceUnit.CLIP,
        expected_seconds=timedelta(seconds=180),
        webhook_expected=True,
        limits=LIMITS,
    ),
    VideoModel(
        id="edenai/hailuo-02",
        provider="edenai",
        vendor_model="minimax/MiniMax-Hailuo-02",
        name="MiniMax Hailuo 02 (Eden AI)",
        description="Hailuo 2.3's predecessor: good at physics and motion, from text.",
        modes=frozenset({Mode.TEXT}),
        default_duration=6,
        durations=(6, 10),
        resolutions=("768p",),
        ratios=("16:9",),
        max_prompt_length=2_000,
        strengths=frozenset({ContentType.ACTION, ContentType.PERSON}),
        quality=3,
        price_unit=PriceUnit.CLIP,
        expected_seconds=timedelta(seconds=180),
        webhook_expected=True,
        limits=LIMITS,
    ),
    VideoModel(
        id="edenai/seedance-2",
        provider="edenai",
        vendor_model="bytedance/seedance-2-0-260128",
        name="Seedance 2.0 (Eden AI)",
        description="ByteDance's best model, from text: five seconds in its own size.",
        modes=frozenset({Mode.TEXT}),
        default_duration=5,
        durations=(5,),
        resolutions=("720p",),
        ratios=("16:9",),
        max_prompt_length=2_000,
        strengths=frozenset(ContentType) - {ContentType.TALKING_PERSON, ContentType.TEXT},
        quality=5,
        price_unit=PriceUnit.SECOND,
        expected_seconds=timedelta(seconds=180),
        webhook_expected=True,
        limits=LIMITS,
    ),
    VideoModel(
        id="edenai/seedance-1-pro-fast",
        provider="edenai",
        vendor_model="bytedance/seedance-1-0-pro-fast-251015",
        name="Seedance 1.0 Pro Fast (Eden AI)",
        description="Quick and cheap clips from text: five seconds in its own size.",
        modes=frozenset({Mode.TEXT}),
        default_duration=5,
        durations=(5,),
        resolutions=("720p",),
        ratios=("16:9",),
        max_prompt_length=2_000,
        strengths=frozenset({ContentType.LANDSCAPE, ContentType.PRODUCT, ContentType.ACTION}),
        quality=3,
        price_unit=PriceUnit.SECOND,
        expected_seconds=timedelta(seconds=60),
        webhook_expected=True,
        limits=LIMITS,
    ),
    VideoModel(
        id="edenai/nova-reel",
        provider="edenai",
        vendor_model="amazon/amazon.nova-reel-v1:1",
        name="Amazon Nova Reel (Eden AI)",
        description="Calm shots of products and places; a start image has to have exactly 1280 by 720 pixels.",
        modes=frozenset({Mode.TEXT, Mode.IMAGE}),
        default_duration=6,
        durations=(6,),
        resolutions=("720p",),
        ratios=("16:9",),
        max_prompt_length=512,
        seed=True,
        strengths=frozenset({ContentType.PRODUCT, ContentType.LANDSCAPE}),
        quality=2,
        price_unit=PriceUnit.SECOND,
        expected_seconds=timedelta(seconds=120),
        webhook_expected=True,
        limits=LIMITS,
    ),
    VideoModel(
        id="edenai/runway-gen-3",
        provider="edenai",
        vendor_model="runwayml",
        name="Runway Gen-3 (Eden AI)",
        description="No longer behind Eden AI; Amazon Nova Reel takes its place.",
        modes=frozenset({Mode.TEXT, Mode.IMAGE}),
        default_duration=10,
        durations=(5, 10),
        resolutions=("720p",),
        ratios=("16:9",),
        max_prompt_length=512,
        retires_at=RETIRED,
        successor="edenai/nova-reel",
        strengths=frozenset(),
        quality=3,
        price_unit=PriceUnit.CLIP,
        expected_seconds=timedelta(seconds=120),
        limits=LIMITS,
    ),
    VideoModel(
        id="edenai/kling-2.5",
        provider="edenai",
        vendor_model="kling",
        name="Kling 2.5 (Eden AI)",
        description="No longer behind Eden AI; Amazon Nova Reel takes its place.",
        modes=frozenset({Mode.TEXT, Mode.IMAGE}),
        default_duration=5,
        durations=(5, 10),
        resolutions=("720p", "1080p"),
        ratios=("16:9", "9:16", "1:1"),
        max_prompt_length=2_500,
        retires_at=RETIRED,
        successor="edenai/nova-reel",
        strengths=frozenset(),
        quality=4,
        price_unit=PriceUnit.CLIP,
        expected_seconds=timedelta(seconds=120),
        limits=LIMITS,
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Maker:
    """What of a request Eden AI hands on to a maker of models. It drops the rest without a word, so we refuse it."""

    durations: Sequence[int]
    """The lengths in seconds that can be had."""
    sizes: Mapping[tuple[str, str], str | None]
    """By resolution and ratio, the `dimension` to wish for; None: the maker is not told."""
    seed: bool = False
    first_frame: tuple[int, int] | None = None
    """The size in pixels that a start image has to have; None: it takes none."""


# Eden AI's word for a maker. ByteDance is told the text only: what is asked beside it is what comes by itself.
MAKERS: Mapping[str, Maker] = {
    "amazon": Maker(durations=(6,), sizes={("720p", "16:9"): "1280x720"}, seed=True, first_frame=(1280, 720)),
    "minimax": Maker(durations=(6, 10), sizes={("768p", "16:9"): None}),
    "bytedance": Maker(durations=(5,), sizes={("720p", "16:9"): "1280x720"}),
}
# The vendor's word, ours: the current documents', then those of the version before. Everything else is UNKNOWN.
STATES: Mapping[str, RenderState] = {
    "processing": RenderState.RUNNING,
    "success": RenderState.SUCCEEDED,
    "fail": RenderState.FAILED,
    "pending": RenderState.QUEUED,
    "finished": RenderState.SUCCEEDED,
    "succeeded": RenderState.SUCCEEDED,
    "failed": RenderState.FAILED,
    "error": RenderState.FAILED,
}
# Failures have no codes: the makers' own sentences come through. What of one says that its policy refused it.
MODERATED = (
    "refused the prompt",
    "sensitive",
    "content filter",
    "content policy",
    "moderat",
    "responsible ai",
)
# What of a refused field's name says what was wrong; others are INVALID.
REFUSED_FIELDS: Mapping[str, FailureCode] = {
    "model": FailureCode.MODEL_UNAVAILABLE,
    "file": FailureCode.INPUT_UNREADABLE,
}
# 404: of a submission only the model can be unknown. 451: not in this region.
WITHOUT_THE_MODEL = frozenset({404, 451})
BAD_FILE = frozenset({400, 413, 415, 422})

FEATURE = "video/generation_async"
JOBS = "/v3/universal-ai/async"
TOKEN = "client_token"  # noqa: S105 - the name of a field
HIGHEST_SEED = 2_147_483_646
UPLOAD_BYTES = 100_000_000
# A finished job's answer with the video inside: base64 of some 400 MB.
ANSWER_BYTES = 1 << 29
# For it to arrive.
LOOK_SECONDS = 40.0
# Ten pages are what the contract's list may hold.
PAGE, PAGES = 100, 10
# How far the vendor's clock may be from ours.
CLOCKS = timedelta(minutes=2)

_PEM = re.compile(r"-----BEGIN (?:RSA )?PUBLIC KEY-----.+?-----END (?:RSA )?PUBLIC KEY-----", re.DOTALL)


class EdenAIProvider(VideoProvider):
    name = "edenai"
    settings: ClassVar[Sequence[str]] = ("EDENAI_API_KEY", "EDENAI_URL")
    optional: ClassVar[Sequence[str]] = ("EDENAI_WEBHOOK_PUBLIC_KEY",)
    defaults: ClassVar[Mapping[str, str]] = {"EDENAI_URL": "https://api.edenai.run"}
    webhooks = Webhooks.SIGNED
    # The body holds the whole video in base64; one of more than 24 MB is left to polling.
    webhook_max_bytes = 32_000_000
    reports_cost = True
    notes: ClassVar[Sequence[str]] = (
        "EDENAI_WEBHOOK_PUBLIC_KEY takes the PEM keys that Eden AI's support hands out, one after another.",
        "Without a public key only the token in our URL speaks for a webhook.",
        "Each job has a seed of its own, so that Eden AI's response cache gives no two customers the same clip.",
        "Whether that cache, on by default in a project, holds videos at all is unconfirmed.",
        "What Eden AI drops on the way to a maker is not offered; nobody has confirmed what it hands on since 2026-03.",
        "MiniMax gets text and length, so the size of its clips is its own; ByteDance gets the text alone.",
        "MiniMax's start images are not offered: Eden AI's code sends them in a field that is not MiniMax's.",
        "Nova Reel makes six seconds: whether Eden AI takes the longer multiples is unconfirmed.",
        "Whether the list of jobs shows our token is unconfirmed; without it a lost submission is never found.",
        "Deleting a job is not known to stop it, so there is no cancel.",
        "Failures are sentences without codes: only some are known for a refusal by a maker's policy.",
        "Eden AI's documents differ in prices and model names: compare the reported cost with the rate card.",
        "OpenAI's and Google's models behind it are closed, and Pixverse's are priced by the token: none is offered.",
        "The balance comes from version 2 of the API, which is announced to end with 2026.",
    )

    def __init__(
        self, *, url: str, api_key: str, webhook_public_keys: Sequence[str] = (), http: Client | None = None
    ) -> None:
        """`webhook_public_keys` are PEM texts, tried in turn, to rotate them; `http` replaces the process's client.

        Raises ValueError for what is no RSA key.
        """
        self._url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {api_key}"}
        self._public_keys = tuple(_public_key(pem) for pem in webhook_public_keys)
        self._http = http

    @classmethod
    def from_settings(cls, values: Mapping[str, str]) -> Self:
        text = values.get("EDENAI_WEBHOOK_PUBLIC_KEY", "").replace("\\n", "\n")
        keys = _PEM.findall(text)
        if text.strip() and not keys:
            raise ValueError("EDENAI_WEBHOOK_PUBLIC_KEY has no PEM public key in it")
        return cls(url=values["EDENAI_URL"], api_key=values["EDENAI_API_KEY"], webhook_public_keys=keys)

    def submit(self, request: RenderRequest, *, client_token: str, callback_url: str | None) -> Submission:
        order = _order(request, client_token=client_token, callback_url=callback_url)
        if request.start_image is not None:
            order["input"]["file"] = self._upload(request.start_image, _maker(request).first_frame)
        try:
            # A cached answer would be a finished job's.
            answer = self._client.json_without_media(
                "POST", f"{self._url}{JOBS}", headers=self._headers, json=order, max_bytes=ANSWER_BYTES
            )
        except HttpError as error:
            raise self._refusal(error) from None
        external_id = _id(answer)
        if not external_id:
            raise OutcomeUnknown(self.name)
        word = answer.get("status")
        return Submission(external_id=external_id, vendor_state=word if isinstance(word, str) else "")

    def fetch(self, external_id: str) -> RenderUpdate:
        return self._update(self._get(f"{JOBS}/{quote(external_id, safe='')}", seconds=LOOK_SECONDS))

    def find(self, client_token: str, *, request: RenderRequest, since: datetime) -> RenderUpdate | None:
        """By our token only: by model and time it could be another customer's."""
        for job in self._jobs(since):
            if _client_token(job) == client_token:
                return self.fetch(_id(job))
        return None

    def listed(self, since: datetime) -> Sequence[Listed]:
        found = [
            Listed(
                external_id=_id(job),
                state=_state(job),
                created_at=_created(job),
                client_token=_client_token(job),
            )
            for job in self._jobs(since)
        ]
        earliest = datetime.min.replace(tzinfo=UTC)
        return sorted(found, key=lambda one: one.created_at or earliest, reverse=True)

    def account(self) -> AccountStanding:
        try:
            answer = self._get("/v2/cost_management/credits/")
        except JobNotFound:
            # It has ended, as announced.
            raise UnsupportedFeature(self.name, "account") from None
        balance = _decimal(answer.get("credits")) if isinstance(answer, dict) else None
        if balance is None:
            raise ReadFailed(self.name)
        return AccountStanding(balance=balance)

    def read_webhook(self, headers: Mapping[str, str], body: bytes) -> list[RenderUpdate]:
        try:
            message, digest = _read(body)
        except (ValueError, RecursionError):
            raise (BadSignature if self._public_keys else ReadFailed)(self.name) from None
        if self._public_keys:
            self._verify({name.lower(): value for name, value in headers.items()}, digest)
        return [self._update(message, event_id=digest)]

    @property
    def verifies_webhooks(self) -> bool:
        return bool(self._public_keys)

    @property
    def _client(self) -> Client:
        return self._http or client()

    def _get(self, path: str, *, seconds: float | None = None) -> Any:
        try:
            return self._client.json_without_media(
                "GET",
                f"{self._url}{path}",
                headers=self._headers,
                max_bytes=ANSWER_BYTES,
                total_seconds=seconds,
            )
        except HttpError as error:
            raise read_error(self.name, error) from None

    def _refusal(self, error: HttpError) -> ProviderError:
        if isinstance(error, BadStatus) and error.status == 402:
            return BalanceUsedUp(self.name)
        return submission_error(self.name, error, refusal=_refused(error))

    def _upload(self, image: InputMedia, size: tuple[int, int] | None) -> str:
        """The vendor's id of the image. It is sent only if it has the size that it must have."""
        content = inputs.read(self.name, self._client, image, max_bytes=UPLOAD_BYTES)
        try:
            with Image.open(io.BytesIO(content), formats=("JPEG", "PNG")) as opened:
                kind, actual = str(opened.format).lower(), opened.size
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
            raise UnsupportedFeature(self.name, "a start image that is neither JPEG nor PNG") from None
        if size is not None and actual != size:
            raise UnsupportedFeature(
                self.name, f"a start image that does not have {size[0]}x{size[1]} pixels"
            )
        body, media_type = inputs.form(
            {"purpose": "general"},
            name="file",
            filename=f"first-frame.{kind}",
            content=content,
            media_type=f"image/{kind}",
        )
        headers = self._headers | {"Content-Type": media_type}
        try:
            answer = self._client.request("POST", f"{self._url}/v3/upload", headers=headers, body=body)
            uploaded = answer.json() if answer.ok else None
        except HttpError:
            raise NotSent(self.name) from None
        if answer.status in BAD_FILE:
            raise RequestRefused(self.name, code=FailureCode.INPUT_UNREADABLE)
        if answer.status in {401, 402, 403, 429}:
            raise self._refusal(BadStatus(answer.host, answer))
        match uploaded:
            case {"file_id": str(file_id)} if file_id:
                return file_id
            case _:
                raise NotSent(self.name)

    def _jobs(self, since: datetime) -> Iterator[dict[str, Any]]:
        """The jobs of the list from `since` on, each once, whether or not it knows of pages."""
        seen: set[str] = set()
        for number in range(1, PAGES + 1):
            try:
                answer = self._get(
                    f"{JOBS}?feature=video&subfeature=generation_async&page={number}&limit={PAGE}"
                )
            except JobNotFound:
                # Behind the last page.
                if number == 1:
                    raise ReadFailed(self.name) from None
                return
            page = _page(answer)
            if page is None:
                raise ReadFailed(self.name)
            fresh = {_id(job): job for job in page if _id(job) not in seen | {""}}
            seen |= fresh.keys()
            made = [_created(job) for job in fresh.values()]
            yield from (
                job
                for job, at in zip(fresh.values(), made, strict=True)
                if at is None or at >= since - CLOCKS
            )
            all_before = all(at is not None and at < since - CLOCKS for at in made)
            if all_before or _pages(answer) == number:
                return

    def _verify(self, headers: Mapping[str, str], digest: str) -> None:
        if headers.get("x-edenai-hash-algorithm", "SHA256").upper() != "SHA256":
            raise BadSignature(self.name)
        text = headers.get("x-edenai-signature", "")
        if re.fullmatch(r"(?:[0-9a-fA-F]{2}){64,2048}", text) is None:
            raise BadSignature(self.name)
        for key in self._public_keys:
            try:
                # The digest's text is signed, so it is hashed once more.
                key.verify(bytes.fromhex(text), digest.encode(), PKCS1v15(), SHA256())
            except InvalidSignature:
                continue
            return
        raise BadSignature(self.name)

    def _update(self, job: Any, *, event_id: str | None = None) -> RenderUpdate:
        match job:
            case {"status": str(word)} if external_id := _id(job):
                pass
            case _:
                raise ReadFailed(self.name)
        state = _state(job)
        output = self._output(external_id, job) if state is RenderState.SUCCEEDED else None
        failure: ProviderError | None = None
        if state is RenderState.SUCCEEDED and output is None:
            state = RenderState.FAILED
            failure = RenderFailed(self.name, code=FailureCode.NO_MEDIA, retryable=True)
        elif state is RenderState.FAILED:
            sentence = _sentence(job).lower()
            moderated = any(words in sentence for words in MODERATED)
            failure = RenderFailed(
                self.name,
                code=FailureCode.MODERATED if moderated else FailureCode.VENDOR_FAULT,
                retryable=not moderated,
            )
        cost = _decimal(job.get("cost")) if state in (RenderState.SUCCEEDED, RenderState.FAILED) else None
        return RenderUpdate(
            external_id=external_id,
            state=state,
            vendor_state=word,
            output=output,
            failure=failure,
            cost=Cost(amount=cost, currency="USD") if cost is not None and cost >= 0 else None,
            event_id=event_id,
            client_token=_client_token(job),
        )

    def _output(self, external_id: str, job: Mapping[str, Any]) -> OutputSource | None:
        match job.get("output"):
            case {"video_resource_url": str(url)} if url:
                return OutputSource(url=url)
            case {"video": str(text)} if text:
                url = f"{self._url}{JOBS}/{quote(external_id, safe='')}"
                return OutputSource(url=url, headers=self._headers, base64_field="video")
            case _:
                return None


def _order(request: RenderRequest, *, client_token: str, callback_url: str | None) -> dict[str, Any]:
    """What is posted, but for the start image. Raises UnsupportedFeature."""
    maker = _maker(request)
    wishes = {
        "first and last frame": request.mode is Mode.FIRST_LAST or request.end_image is not None,
        "video to video": request.mode is Mode.VIDEO or request.source_video is not None,
        "a start image with this model": request.start_image is not None and maker.first_frame is None,
        "image to video without an image": request.mode is Mode.IMAGE and request.start_image is None,
        "a negative prompt": bool(request.negative_prompt),
        "styles": request.style is not None,
        "audio": request.audio,
        "prompt enhancement": request.enhance,
        "controls": bool(request.controls),
        "a seed with this model": request.seed is not None and not maker.seed,
        "this seed": request.seed is not None and not 0 <= request.seed <= HIGHEST_SEED,
        f"{request.duration_seconds} seconds with this model": request.duration_seconds
        not in maker.durations,
        f"{request.resolution} in {request.ratio} with this model": (request.resolution, request.ratio)
        not in maker.sizes,
    }
    for wish, asked in wishes.items():
        if asked:
            raise UnsupportedFeature(EdenAIProvider.name, wish)
    # Also where the maker never sees it: the response cache does.
    seed = _seed(client_token) if request.seed is None else request.seed
    asked_for: dict[str, Any] = {"text": request.prompt, "duration": request.duration_seconds, "seed": seed}
    if dimension := maker.sizes[request.resolution, request.ratio]:
        asked_for["dimension"] = dimension
    order: dict[str, Any] = {
        "model": f"{FEATURE}/{request.model}",
        "input": asked_for,
        "show_original_response": False,
        "user_webhook_parameters": {TOKEN: client_token},
    }
    if callback_url is not None:
        order["webhook_receiver"] = callback_url
    return order


def _maker(request: RenderRequest) -> Maker:
    """Raises UnsupportedFeature for a model without a maker's name before it: that would be billed at another rate."""
    maker, _, model = request.model.partition("/")
    if maker not in MAKERS or not model:
        raise UnsupportedFeature(EdenAIProvider.name, "this model")
    return MAKERS[maker]


def _seed(client_token: str) -> int:
    """Always the same for the same attempt, and another for another."""
    return int.from_bytes(hashlib.sha256(client_token.encode()).digest()[:8], "big") % (HIGHEST_SEED + 1)


def _refused(error: HttpError) -> FailureCode:
    """Why a submission was refused."""
    if not isinstance(error, BadStatus):
        return FailureCode.INVALID
    if error.status in WITHOUT_THE_MODEL:
        return FailureCode.MODEL_UNAVAILABLE
    try:
        answer = error.answer.json()
    except UnusableBody:
        return FailureCode.INVALID
    sentence = _sentence(answer).lower()
    if any(words in sentence for words in MODERATED):
        return FailureCode.MODERATED
    match answer:
        case {"detail": [{"loc": [*where]}, *_]} if where:
            return REFUSED_FIELDS.get(str(where[-1]), FailureCode.INVALID)
        case _:
            return FailureCode.INVALID


def _sentence(answer: object, levels: int = 6) -> str:
    """What an answer says went wrong, in any of the shapes that it may have, no more than some levels down."""
    if isinstance(answer, str):
        return answer
    inner: list[object] = []
    if isinstance(answer, list):
        inner = answer
    elif isinstance(answer, dict):
        inner = [answer[key] for key in ("error", "message", "detail", "msg") if key in answer]
    return " ".join(_sentence(one, levels - 1) for one in inner) if levels else ""


def _id(job: object) -> str:
    """Its `public_id`, which one document and the webhooks call `job_id`; "" where there is none."""
    if isinstance(job, dict):
        for name in ("public_id", "job_id"):
            if isinstance(job.get(name), str) and job[name]:
                return str(job[name])
    return ""


def _state(job: Mapping[str, Any]) -> RenderState:
    word = job.get("status")
    return STATES.get(word, RenderState.UNKNOWN) if isinstance(word, str) else RenderState.UNKNOWN


def _created(job: Mapping[str, Any]) -> datetime | None:
    try:
        at = datetime.fromisoformat(str(job.get("created_at")))
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _client_token(job: Mapping[str, Any]) -> str | None:
    """Ours, where the vendor says it again."""
    for name in ("user_parameters", "user_webhook_parameters"):
        match job.get(name):
            case {"client_token": str(token)}:
                return token
    return None


def _page(answer: object) -> list[dict[str, Any]] | None:
    """The jobs of one page, in any of the shapes that lists have; None where it is no list."""
    match answer:
        case {"items": [*jobs]} | {"results": [*jobs]} | {"data": [*jobs]} | [*jobs]:
            return [job for job in jobs if isinstance(job, dict)]
        case _:
            return None


def _pages(answer: object) -> int | None:
    """How many pages a list says that it has."""
    match answer:
        case {"total_pages": int(pages)}:
            return max(pages, 1)
        case _:
            return None


def _decimal(value: object) -> Decimal | None:
    """A number, or the text of one; None for what is neither."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _public_key(pem: str) -> RSAPublicKey:
    try:
        key = load_pem_public_key(pem.encode())
    except ValueError:
        raise ValueError("EDENAI_WEBHOOK_PUBLIC_KEY has a PEM key that can't be read") from None
    if not isinstance(key, RSAPublicKey):
        raise ValueError("EDENAI_WEBHOOK_PUBLIC_KEY has a key that is not RSA")
    return key


@dataclass(frozen=True, slots=True)
class _Number:
    """A number as it was sent: what is signed depends on how it was written."""

    text: str


def _read(body: bytes) -> tuple[Any, str]:
    """The message, and the hex SHA-256 of its canonical form, which is what the vendor signs.

    That form is JSON with sorted keys, two spaces a level, and nothing escaped that needn't be. Raises ValueError or
    RecursionError.
    """
    kept = json.loads(body, parse_int=_Number, parse_float=_Number, parse_constant=_Number)
    digest = hashlib.sha256()
    for piece in _canonical(kept, "\n"):
        # Text that no UTF-8 can hold was never signed: a ValueError.
        digest.update(piece.encode())
    # What a delivery says needs no second copy of its video.
    return json.loads(b"".join(cut([body])), parse_float=str), digest.hexdigest()


def _canonical(value: Any, line: str) -> Iterator[str]:
    """The canonical form, piece by piece; `line` begins a new line at the level of `value`."""
    match value:
        case _Number(text=text):
            yield text
        case dict() if value:
            for index, key in enumerate(sorted(value)):
                yield f"{',' if index else '{'}{line}  {json.dumps(key, ensure_ascii=False)}: "
                yield from _canonical(value[key], f"{line}  ")
            yield f"{line}}}"
        case [*items] if items:
            for index, item in enumerate(items):
                yield f"{',' if index else '['}{line}  "
                yield from _canonical(item, f"{line}  ")
            yield f"{line}]"
        case _:
            # A text, a word, or an empty list or object.
            yield json.dumps(value, ensure_ascii=False)
