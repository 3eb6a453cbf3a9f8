"""xAI's Grok Imagine: video from text and pictures, and edits and extensions of videos.

Facts: docs.x.ai, the protocol files of its own client and a maintained HTTP client, as of 2026-11. Its own client for
Python speaks gRPC; this is its REST API.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any, ClassVar, Self
from urllib.parse import quote

from providers.contract import (
    Cost,
    Mode,
    OutputSource,
    RenderRequest,
    RenderState,
    RenderUpdate,
    Submission,
    VideoProvider,
)
from providers.errors import (
    BalanceUsedUp,
    CredentialsRefused,
    FailureCode,
    OutcomeUnknown,
    ProviderError,
    ReadFailed,
    RenderFailed,
    RequestRefused,
    UnsupportedFeature,
)
from providers.facts import (
    ChoiceControl,
    ContentType,
    PriceUnit,
    ProviderLimits,
    Restriction,
    VideoModel,
)
from providers.http import Answer, BadStatus, Client, HttpError, UnusableBody, client
from providers.submission import read_error, submission_error

EDIT, EXTEND = "edit", "extend"
RATIOS = ("16:9", "9:16", "1:1", "4:3", "3:4", "3:2", "2:3")
LIMITS = ProviderLimits(concurrent=10, per_minute=60)

MODELS = (
    VideoModel(
        id="xai/grok-imagine-video",
        provider="xai",
        vendor_model="grok-imagine-video",
        name="Grok Imagine Video",
        description=(
            "Quick clips with sound, and changes to videos. An edit keeps the length and shape of its video, of at "
            "most 8.7 seconds; an extension adds the duration to it. Both are at most 720p."
        ),
        modes=frozenset({Mode.TEXT, Mode.IMAGE, Mode.VIDEO}),
        source_sets_length=True,
        default_duration=8,
        durations=range(1, 16),
        resolutions=("480p", "720p"),
        # The longest extension; an edit is no longer than 8.7 s.
        restrictions=(Restriction(modes=frozenset({Mode.VIDEO}), durations=range(1, 11)),),
        ratios=RATIOS,
        max_prompt_length=4_096,
        audio=True,
        controls=(
            ChoiceControl(
                name="task",
                description="What is done with a source video: change it, or go on from its end.",
                choices=(EDIT, EXTEND),
            ),
        ),
        strengths=frozenset({ContentType.PERSON, ContentType.ACTION, ContentType.ANIMATION}),
        quality=3,
        price_unit=PriceUnit.SECOND,
        expected_seconds=timedelta(seconds=45),
        limits=LIMITS,
    ),
    VideoModel(
        id="xai/grok-imagine-video-1.5",
        provider="xai",
        vendor_model="grok-imagine-video-1.5",
        name="Grok Imagine Video 1.5",
        description="Clips with sound of up to 15 seconds and 1080p, from a first picture to a last one if you like.",
        modes=frozenset({Mode.TEXT, Mode.IMAGE, Mode.FIRST_LAST}),
        default_duration=8,
        durations=range(1, 16),
        resolutions=("480p", "720p", "1080p"),
        ratios=RATIOS,
        max_prompt_length=4_096,
        audio=True,
        strengths=frozenset(
            {ContentType.PERSON, ContentType.LANDSCAPE, ContentType.ACTION, ContentType.ANIMATION}
        ),
        quality=4,
        price_unit=PriceUnit.SECOND,
        expected_seconds=timedelta(seconds=75),
        limits=LIMITS,
    ),
)

# The vendor's word, ours. Everything else is UNKNOWN.
STATES: Mapping[str, RenderState] = {
    "pending": RenderState.RUNNING,
    "done": RenderState.SUCCEEDED,
    "expired": RenderState.FAILED,
    "failed": RenderState.FAILED,
}
# Where there is nothing more to come, and a cost is what was charged.
ENDED = frozenset({RenderState.SUCCEEDED, RenderState.FAILED, RenderState.CANCELLED})
# The code of a failed video, ours, and whether the same request may succeed later.
FAILURES: Mapping[str, tuple[FailureCode, bool]] = {
    "invalid_argument": (FailureCode.INVALID, False),
    "failed_precondition": (FailureCode.INVALID, False),
    "permission_denied": (FailureCode.VENDOR_FAULT, False),
    "service_unavailable": (FailureCode.VENDOR_FAULT, True),
    "internal_error": (FailureCode.VENDOR_FAULT, True),
}
# The models that take a last frame, edit and extend.
WITH_LAST_FRAME = frozenset({"grok-imagine-video-1.5"})
WITH_SOURCE_VIDEO = frozenset({"grok-imagine-video"})
# What it says of a request against its rules, of a wrong key with 400, and of an empty balance with 403.
AGAINST_RULES = "usage guidelines"
WRONG_KEY = ("api key", "api_key")
NO_CREDITS = ("credit", "balance", "spending limit")

TICKS_PER_DOLLAR = Decimal(10**10)


class XaiProvider(VideoProvider):
    name = "xai"
    settings: ClassVar[Sequence[str]] = ("XAI_API_KEY", "XAI_URL")
    defaults: ClassVar[Mapping[str, str]] = {"XAI_URL": "https://api.x.ai/v1"}
    reports_cost = True
    notes: ClassVar[Sequence[str]] = (
        "Videos that its content policy blocks are charged, and the cost is on record.",
        (
            "Nothing at the vendor cancels, lists or finds a video: a submission whose answer is lost stays lost, and "
            "may be charged."
        ),
        (
            "Its documents disagree about rate limits (1 or 10 a second, 70 a minute): ours are a careful start, and the "
            "team's console has the true ones."
        ),
        (
            "How it refuses a prompt against its rules, and an empty balance, is not confirmed: both are read from its "
            "message."
        ),
        "The longest prompt, how long a video to extend may be and the fields of a last frame are not confirmed.",
        "Edits and extensions are offered with the first model only: others report that 1.5 refuses them.",
        "Price: a source video costs 0.01 USD a second more and a picture 0.002 (1.5: 0.01) more than the rate card has.",
    )

    def __init__(self, *, url: str, api_key: str, http: Client | None = None) -> None:
        """`http` replaces the process's client."""
        self._url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {api_key}"}
        self._http = http

    @classmethod
    def from_settings(cls, values: Mapping[str, str]) -> Self:
        return cls(url=values["XAI_URL"], api_key=values["XAI_API_KEY"])

    def submit(self, request: RenderRequest, *, client_token: str, callback_url: str | None) -> Submission:
        route, order = _order(request)
        try:
            answer = self._client.post_json(f"{self._url}/videos/{route}", order, headers=self._headers)
        except HttpError as error:
            raise self._refusal(error) from None
        match answer:
            case {"request_id": str(external_id)} if external_id:
                # Its answer has no state in it.
                return Submission(external_id=external_id, vendor_state="")
            case _:
                raise OutcomeUnknown(self.name)

    def fetch(self, external_id: str) -> RenderUpdate:
        try:
            answer = self._client.request(
                "GET", f"{self._url}/videos/{quote(external_id, safe='')}", headers=self._headers
            )
            if not answer.ok:
                raise BadStatus(answer.host, answer)
            if answer.status == 202:
                # Still pending, whatever its body is; mostly there is none.
                return RenderUpdate(
                    external_id=external_id,
                    state=RenderState.RUNNING,
                    vendor_state="pending",
                    progress=_progress(_if_json(answer)),
                )
            video = answer.json()
        except HttpError as error:
            if isinstance(error, BadStatus) and _is_wrong_key(error):
                raise CredentialsRefused(self.name) from None
            raise read_error(self.name, error) from None
        return self._update(external_id, video)

    @property
    def _client(self) -> Client:
        return self._http or client()

    def _refusal(self, error: HttpError) -> ProviderError:
        if not isinstance(error, BadStatus):
            return submission_error(self.name, error)
        message = _message(error)
        if error.status in (400, 403) and AGAINST_RULES in message:
            return RequestRefused(self.name, code=FailureCode.MODERATED)
        if error.status == 402 or (error.status == 403 and any(word in message for word in NO_CREDITS)):
            return BalanceUsedUp(self.name)
        if _is_wrong_key(error):
            return CredentialsRefused(self.name)
        refusal = FailureCode.MODEL_UNAVAILABLE if error.status == 404 else FailureCode.INVALID
        return submission_error(self.name, error, refusal=refusal)

    def _update(self, external_id: str, video: Any) -> RenderUpdate:
        word = _word(video)
        if word is None:
            raise ReadFailed(self.name)
        state = STATES.get(word, RenderState.UNKNOWN)
        output = _output(video) if state is RenderState.SUCCEEDED else None
        failure: ProviderError | None = None
        if state is RenderState.SUCCEEDED and _is_blocked(video):
            state, output = RenderState.FAILED, None
            failure = RenderFailed(self.name, code=FailureCode.MODERATED, retryable=False)
        elif state is RenderState.SUCCEEDED and output is None:
            state = RenderState.FAILED
            failure = RenderFailed(self.name, code=FailureCode.NO_MEDIA, retryable=True)
        elif state is RenderState.FAILED:
            code, retryable = FAILURES.get(_code(video), (FailureCode.VENDOR_FAULT, False))
            failure = RenderFailed(self.name, code=code, retryable=retryable)
        return RenderUpdate(
            external_id=external_id,
            state=state,
            vendor_state=word,
            progress=_progress(video),
            output=output,
            failure=failure,
            cost=_cost(video) if state in ENDED else None,
        )


def _order(request: RenderRequest) -> tuple[str, dict[str, object]]:
    """Where under /videos it is posted, and the body. Raises UnsupportedFeature."""
    controls = dict(request.controls)
    task = controls.pop("task", None)
    for feature, asked in {
        "negative_prompt": bool(request.negative_prompt),
        "style": request.style is not None,
        "seed": request.seed is not None,
        "enhance": request.enhance,
        **dict.fromkeys(controls, True),
    }.items():
        if asked:
            raise UnsupportedFeature(XaiProvider.name, feature)
    if request.mode is Mode.VIDEO:
        return _with_source(request, EDIT if task is None else task)
    if task is not None:
        raise UnsupportedFeature(XaiProvider.name, "task without a source video")
    return "generations", _generation(request)


def _generation(request: RenderRequest) -> dict[str, object]:
    start, end = request.start_image, request.end_image
    for feature, asked in {
        "a source video in this mode": request.source_video is not None,
        "an end image with this model": end is not None and request.model not in WITH_LAST_FRAME,
        "an end image without a start image": end is not None and start is None,
        "an end image in this mode": end is not None and request.mode is not Mode.FIRST_LAST,
        "a start image in this mode": start is not None and request.mode is Mode.TEXT,
        "this mode without its images": (start is None and request.mode is not Mode.TEXT)
        or (end is None and request.mode is Mode.FIRST_LAST),
    }.items():
        if asked:
            raise UnsupportedFeature(XaiProvider.name, feature)
    order: dict[str, object] = {
        "model": request.model,
        "prompt": request.prompt,
        "duration": request.duration_seconds,
        "aspect_ratio": request.ratio,
        "resolution": request.resolution,
        # Sound is made unless it is declined.
        "generate_audio": request.audio,
    }
    if start is not None:
        order["image"] = {"url": start.url}
    if end is not None:
        order["last_frame"] = {"url": end.url}
    return order


def _with_source(request: RenderRequest, task: object) -> tuple[str, dict[str, object]]:
    source = request.source_video
    for feature, asked in {
        "a source video with this model": request.model not in WITH_SOURCE_VIDEO,
        "this mode without a source video": source is None,
        "pictures beside a source video": request.start_image is not None or request.end_image is not None,
        # The sound is whatever the video's is: neither field nor promise.
        "audio of a source video": request.audio,
        "this task": task not in (EDIT, EXTEND),
    }.items():
        if asked:
            raise UnsupportedFeature(XaiProvider.name, feature)
    assert source is not None
    order: dict[str, object] = {
        "model": request.model,
        "prompt": request.prompt,
        "video": {"url": source.url},
    }
    if task == EXTEND:
        return "extensions", order | {"duration": request.duration_seconds}
    return "edits", order


def _word(video: object) -> str | None:
    """Its state; where the vendor leaves it out, a video's own fields say that it is done."""
    match video:
        case {"status": str(word)}:
            return word
        case {"status": other} if other is not None:
            return None
        case {"video": {"url": str(url)}} if url:
            return "done"
        case {"video": {"respect_moderation": False}}:
            return "done"
        case _:
            return None


def _is_blocked(video: object) -> bool:
    match video:
        case {"video": {"respect_moderation": False}}:
            return True
        case _:
            return False


def _output(video: object) -> OutputSource | None:
    match video:
        case {"video": {"url": str(url)}} if url:
            # It lives for 24 hours from a moment that is not said.
            return OutputSource(url=url)
        case _:
            return None


def _if_json(answer: Answer) -> object:
    try:
        return answer.json()
    except UnusableBody:
        return None


def _progress(video: object) -> int | None:
    match video:
        case {"progress": int(progress)} if type(progress) is int and 0 <= progress <= 100:
            return progress
        case _:
            return None


def _cost(video: object) -> Cost | None:
    match video:
        case {"usage": {"cost_in_usd_ticks": int(ticks)}} if type(ticks) is int and ticks >= 0:
            return Cost(amount=Decimal(ticks) / TICKS_PER_DOLLAR, currency="USD")
        case _:
            return None


def _code(video: object) -> str:
    match video:
        case {"error": {"code": str(code)}}:
            return code
        case _:
            return ""


def _is_wrong_key(error: BadStatus) -> bool:
    """Some wrong keys are answered with 400."""
    return error.status == 400 and any(words in _message(error) for words in WRONG_KEY)


def _message(error: BadStatus) -> str:
    """The code and the sentence of a refusal, in lower case, in either of its two forms."""
    try:
        answer = error.answer.json()
    except UnusableBody:
        return ""
    match answer:
        case {"error": {"message": str(message), **more}}:
            return f"{more.get('code')} {message}".lower()
        case {"code": str(code), "error": str(message)}:
            return f"{code} {message}".lower()
        case _:
            return ""
