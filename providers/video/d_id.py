"""D-ID's talks: one still portrait speaks a script.

The prompt is the script, read by a voice of Microsoft's; the picture decides the video's shape and size. Facts: D-ID's
documentation and a transcription of its API, as of 2026-11.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from json import JSONDecodeError, loads
from typing import Any, ClassVar, Self
from urllib.parse import quote

from providers import inputs
from providers.contract import (
    AccountStanding,
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
from providers.errors import (
    BalanceUsedUp,
    CredentialsRefused,
    FailureCode,
    NotSent,
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
    PriceUnit,
    ProviderLimits,
    SwitchControl,
    VideoModel,
)
from providers.http import BadStatus, Client, HttpError, UnusableBody, client
from providers.submission import read_error, submission_error

VOICES = (
    "en-US-JennyNeural",
    "en-US-GuyNeural",
    "en-GB-SoniaNeural",
    "en-GB-RyanNeural",
    "id-ID-GadisNeural",
    "id-ID-ArdiNeural",
    "ms-MY-YasminNeural",
    "es-ES-ElviraNeural",
    "fr-FR-DeniseNeural",
    "de-DE-KatjaNeural",
    "it-IT-ElsaNeural",
    "pt-BR-FranciscaNeural",
    "hi-IN-SwaraNeural",
    "ja-JP-NanamiNeural",
    "zh-CN-XiaoxiaoNeural",
)
EXPRESSIONS = ("neutral", "happy", "surprise", "serious")

LONGEST_SECONDS = 60
CHARACTERS_PER_SECOND = 15
SHORTEST_SCRIPT = 3
# How long a face takes to put on its expression.
TRANSITION_FRAMES = 20

MODELS = (
    VideoModel(
        id="d-id/talk",
        provider="d-id",
        vendor_model="talk",
        name="D-ID Talk",
        description=(
            "A portrait that speaks the prompt, word for word, in the voice you choose. The video has the picture's "
            "own shape and ends with the last word: the duration is its longest."
        ),
        modes=frozenset({Mode.IMAGE}),
        default_duration=15,
        durations=(15, 30, 45, LONGEST_SECONDS),
        resolutions=("720p",),
        ratios=("16:9", "9:16", "1:1", "4:3", "3:4", "4:5"),
        default_ratio="1:1",
        max_prompt_length=LONGEST_SECONDS * CHARACTERS_PER_SECOND,
        spoken_characters_per_second=CHARACTERS_PER_SECOND,
        audio=True,
        controls=(
            ChoiceControl(
                name="voice",
                description="Who speaks; the voice's language should be the script's.",
                choices=VOICES,
                default=VOICES[0],
            ),
            ChoiceControl(
                name="expression",
                description="The look on the face, from the first picture to the last.",
                choices=EXPRESSIONS,
                default="neutral",
            ),
            SwitchControl(
                name="stitch",
                description="Show the whole picture; off shows the head alone, in a square.",
                default=True,
            ),
        ),
        strengths=frozenset({ContentType.TALKING_PERSON}),
        quality=3,
        price_unit=PriceUnit.SECOND,
        expected_seconds=timedelta(seconds=40),
        webhook_expected=True,
        limits=ProviderLimits(concurrent=5, per_minute=30),
    ),
)

# The vendor's word, ours. Everything else is UNKNOWN.
STATES: Mapping[str, RenderState] = {
    "created": RenderState.QUEUED,
    "started": RenderState.RUNNING,
    "done": RenderState.SUCCEEDED,
    "error": RenderState.FAILED,
    "rejected": RenderState.FAILED,
}
# The kinds of errors that speak of what was asked for. Those of its content policy are told by MODERATION.
INVALID_KINDS = frozenset({"BadRequestError", "ValidationError"})
# Parts of the names of kinds: the full names are not confirmed.
MODERATION = ("moderation", "celebrity")
NO_CREDITS = "InsufficientCreditsError"
# The key is good; what was asked for is not in the plan.
NOT_PERMITTED = "PermissionError"
NOT_IN_THE_PLAN = 403

# The types of pictures it takes, and how a name of each ends.
PICTURES: Mapping[str, str] = {"image/png": "png", "image/jpeg": "jpg"}
# The vendor names no limit: ours.
PICTURE_BYTES = 10_000_000
# A vendor without uploads, or whose uploads have moved.
NO_UPLOADS = frozenset({404, 405})
PICTURE_REFUSED = frozenset({400, 413, 415, 422})

PAGE = 100
PAGES = 10


class DIdProvider(VideoProvider):
    name = "d-id"
    settings: ClassVar[Sequence[str]] = ("D_ID_API_KEY", "D_ID_URL")
    defaults: ClassVar[Mapping[str, str]] = {"D_ID_URL": "https://api.d-id.com"}
    webhooks = Webhooks.TOKEN
    notes: ClassVar[Sequence[str]] = (
        "D_ID_API_KEY is the key as the studio shows it, which is encoded already.",
        "The cheapest plans (Trial, Lite) put a watermark on every video, and no request can turn it off.",
        "Uploads of pictures are not confirmed: where the vendor has none, our own link is sent instead.",
        (
            "How it names refusals by its content policy is not confirmed: a status of 451, and every kind of error with "
            "'moderation' or 'celebrity' in its name, count as one."
        ),
        "The fields of the balance, and whether the studio draws on the same one, are not confirmed.",
        "Limits of its rate are not published: ours are a careful start.",
        "Prices are per 15 seconds, by a third party's table; nobody has confirmed the step.",
        "A video ends with its last word, so it is mostly shorter than the duration that is paid for.",
        "Nobody has confirmed that webhooks are unsigned; what one says is looked up before it counts.",
    )

    def __init__(self, *, url: str, api_key: str, http: Client | None = None) -> None:
        """`http` replaces the process's client."""
        self._url = url.rstrip("/")
        self._headers = {"Authorization": f"Basic {api_key}"}
        self._http = http

    @classmethod
    def from_settings(cls, values: Mapping[str, str]) -> Self:
        return cls(url=values["D_ID_URL"], api_key=values["D_ID_API_KEY"])

    def submit(self, request: RenderRequest, *, client_token: str, callback_url: str | None) -> Submission:
        talk = _Talk.of(request)
        order = talk.order(
            self._source_url(talk.picture), client_token=client_token, callback_url=callback_url
        )
        try:
            answer = self._client.post_json(f"{self._url}/talks", order, headers=self._headers)
        except HttpError as error:
            raise self._refusal(error) from None
        match answer:
            case {"id": str(external_id), "status": str(status)} if external_id:
                return Submission(external_id=external_id, vendor_state=status)
            case _:
                raise OutcomeUnknown(self.name)

    def fetch(self, external_id: str) -> RenderUpdate:
        return self._update(self._get(f"/talks/{quote(external_id, safe='')}"))

    def find(self, client_token: str, *, request: RenderRequest, since: datetime) -> RenderUpdate | None:
        for talk in self._talks():
            match talk:
                case {"id": str(external_id), "user_data": str(token)} if token == client_token:
                    # The list may leave out what a look at one talk has, such as its link.
                    return self.fetch(external_id)
        return None

    def read_webhook(self, headers: Mapping[str, str], body: bytes) -> list[RenderUpdate]:
        try:
            return [self._update(loads(body))]
        except (JSONDecodeError, UnicodeDecodeError, RecursionError):
            raise ReadFailed(self.name) from None

    def account(self) -> AccountStanding:
        match self._get("/credits"):
            case dict(answer):
                return AccountStanding(balance=_balance(answer), currency="credits")
            case _:
                raise ReadFailed(self.name)

    def listed(self, since: datetime) -> Sequence[Listed]:
        found = [
            one
            for talk in self._talks()
            if (one := _listed(talk)) and one.created_at and one.created_at >= since
        ]
        return sorted(found, key=lambda one: str(one.created_at), reverse=True)

    @property
    def _client(self) -> Client:
        return self._http or client()

    def _source_url(self, picture: InputMedia) -> str:
        """Where the vendor reads the picture. It wants a link that ends in .jpg or .png, which a signed one doesn't."""
        content = inputs.read(self.name, self._client, picture, max_bytes=PICTURE_BYTES)
        body, content_type = inputs.form(
            {},
            name="image",
            filename=f"start.{PICTURES[picture.media_type]}",
            content=content,
            media_type=picture.media_type,
        )
        try:
            answer = self._client.request(
                "POST",
                f"{self._url}/images",
                headers=self._headers | {"Content-Type": content_type},
                body=body,
            )
            if answer.status in NO_UPLOADS:
                return picture.url
            if not answer.ok:
                raise BadStatus(answer.host, answer)
            uploaded = answer.json()
        except HttpError as error:
            raise self._upload_refusal(error) from None
        match uploaded:
            case {"url": str(url)} if url:
                return url
            case _:
                raise NotSent(self.name)

    def _upload_refusal(self, error: HttpError) -> ProviderError:
        """Nothing has been paid for yet: what is unknown about an upload may be done again."""
        refusal = self._refusal(error)
        if isinstance(refusal, CredentialsRefused | RateLimited):
            return refusal
        if isinstance(refusal, RequestRefused) and (
            refusal.code is FailureCode.MODERATED
            or (isinstance(error, BadStatus) and error.status == NOT_IN_THE_PLAN)
        ):
            return refusal
        if isinstance(error, BadStatus) and error.status in PICTURE_REFUSED:
            return RequestRefused(self.name, code=FailureCode.INPUT_UNREADABLE)
        return NotSent(self.name)

    def _refusal(self, error: HttpError) -> ProviderError:
        if not isinstance(error, BadStatus):
            return submission_error(self.name, error)
        kind = _kind_of_answer(error)
        if 400 <= error.status < 500 and error.status != 429:
            if error.status == 451 or _is_moderation(kind):
                return RequestRefused(self.name, code=FailureCode.MODERATED)
            if error.status == 402 or kind == NO_CREDITS:
                return BalanceUsedUp(self.name)
            if error.status == NOT_IN_THE_PLAN and kind == NOT_PERMITTED:
                return RequestRefused(self.name, code=FailureCode.MODEL_UNAVAILABLE)
        refusal = FailureCode.MODEL_UNAVAILABLE if error.status == 410 else FailureCode.INVALID
        return submission_error(self.name, error, refusal=refusal)

    def _get(self, path: str) -> Any:
        try:
            return self._client.get_json(f"{self._url}{path}", headers=self._headers)
        except HttpError as error:
            raise read_error(self.name, error) from None

    def _talks(self) -> Iterator[object]:
        """The account's talks, page by page, at most 1,000; in what order is not documented."""
        token = ""
        for _ in range(PAGES):
            more = f"&token={quote(token, safe='')}" if token else ""
            match self._get(f"/talks?limit={PAGE}{more}"):
                case {"talks": list(talks), **rest}:
                    yield from talks
                    following = rest.get("token")
                case _:
                    raise ReadFailed(self.name)
            if not isinstance(following, str) or following in ("", token):
                return
            token = following

    def _update(self, talk: Any) -> RenderUpdate:
        match talk:
            case {"id": str(external_id), "status": str(word)}:
                pass
            case _:
                raise ReadFailed(self.name)
        state = STATES.get(word, RenderState.UNKNOWN)
        output = _output(talk) if state is RenderState.SUCCEEDED else None
        failure: ProviderError | None = None
        if state is RenderState.SUCCEEDED and output is None:
            state = RenderState.FAILED
            failure = RenderFailed(self.name, code=FailureCode.NO_MEDIA, retryable=True)
        elif state is RenderState.FAILED:
            failure = self._failure(word, talk)
        return RenderUpdate(
            external_id=external_id,
            state=state,
            vendor_state=word,
            output=output,
            failure=failure,
            client_token=_token(talk),
        )

    def _failure(self, word: str, talk: object) -> RenderFailed:
        kind = _kind(talk)
        if _is_moderation(kind):
            return RenderFailed(self.name, code=FailureCode.MODERATED, retryable=False)
        if word == "rejected" or kind in INVALID_KINDS:
            return RenderFailed(self.name, code=FailureCode.INVALID, retryable=False)
        return RenderFailed(self.name, code=FailureCode.VENDOR_FAULT, retryable=kind != NO_CREDITS)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Talk:
    """A request that the vendor can make a talk of."""

    picture: InputMedia
    script: str
    voice: str
    stitch: bool
    expression: str | None

    @classmethod
    def of(cls, request: RenderRequest) -> "_Talk":
        """Raises UnsupportedFeature."""
        picture = request.start_image
        for feature, asked in {
            f"the mode {request.mode.value}": request.mode is not Mode.IMAGE,
            "an end image": request.end_image is not None,
            "a source video": request.source_video is not None,
            "negative_prompt": bool(request.negative_prompt),
            "style": request.style is not None,
            "seed": request.seed is not None,
            "enhance": request.enhance,
            "a video without a start image": picture is None,
            "a start image that is neither JPEG nor PNG": (
                picture is not None and picture.media_type not in PICTURES
            ),
            f"a script of fewer than {SHORTEST_SCRIPT} characters": len(request.prompt) < SHORTEST_SCRIPT,
        }.items():
            if asked:
                raise UnsupportedFeature(DIdProvider.name, feature)
        assert picture is not None
        controls = dict(request.controls)
        voice, expression = controls.pop("voice", VOICES[0]), controls.pop("expression", None)
        stitch = controls.pop("stitch", True)
        for name in controls:
            raise UnsupportedFeature(DIdProvider.name, name)
        return cls(
            picture=picture,
            script=request.prompt,
            voice=str(voice),
            stitch=bool(stitch),
            expression=None if expression is None else str(expression),
        )

    def order(self, source_url: str, *, client_token: str, callback_url: str | None) -> dict[str, object]:
        """The body of the submission."""
        config: dict[str, object] = {"stitch": self.stitch, "result_format": "mp4"}
        if self.expression is not None:
            config["driver_expressions"] = {
                "expressions": [{"start_frame": 0, "expression": self.expression, "intensity": 1}],
                "transition_frames": TRANSITION_FRAMES,
            }
        order: dict[str, object] = {
            "source_url": source_url,
            "script": {
                "type": "text",
                "input": self.script,
                # A script with brackets is no SSML. Subtitles are left out: some plans refuse the very field.
                "ssml": False,
                "provider": {"type": "microsoft", "voice_id": self.voice},
            },
            "config": config,
            "user_data": client_token,
        }
        return order if callback_url is None else order | {"webhook": callback_url}


def _kind_of_answer(error: BadStatus) -> str:
    try:
        return _kind({"error": error.answer.json()})
    except UnusableBody:
        return ""


def _kind(talk: object) -> str:
    match talk:
        case {"error": {"kind": str(kind)}}:
            return kind
        case _:
            return ""


def _is_moderation(kind: str) -> bool:
    return any(part in kind.lower() for part in MODERATION)


def _output(talk: object) -> OutputSource | None:
    match talk:
        case {"result_url": str(url)} if url:
            # It expires in about a day; when, it does not say.
            return OutputSource(url=url)
        case _:
            return None


def _token(talk: object) -> str | None:
    match talk:
        case {"user_data": str(token)}:
            return token
        case _:
            return None


def _listed(talk: object) -> Listed | None:
    match talk:
        case {"id": str(external_id), "status": str(word), "created_at": str(created)}:
            return Listed(
                external_id=external_id,
                state=STATES.get(word, RenderState.UNKNOWN),
                created_at=_time(created),
                client_token=_token(talk),
            )
        case _:
            return None


def _time(text: str) -> datetime | None:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _balance(answer: Mapping[str, object]) -> Decimal | None:
    """What remains in all, or else the sum of what remains of each lot; None where it says neither."""
    whole = _number(answer.get("remaining"))
    lots = answer.get("credits")
    if whole is not None or not isinstance(lots, list):
        return whole
    rests = [_number(lot.get("remaining")) for lot in lots if isinstance(lot, Mapping)]
    known = [rest for rest in rests if rest is not None]
    return sum(known, Decimal(0)) if known else None


def _number(value: object) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None
