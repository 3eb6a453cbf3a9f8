"""ModelsLab: a reseller of many models behind two APIs, v7 (Video Fusion) and v6 (its own Wan 2.2).

Source: the vendor's documentation, Python SDK and skills, as of May 2026. The key goes inside the JSON body, also
of status calls. Errors come with any HTTP status, 200 included, and are told apart by their text.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from json import JSONDecodeError, loads
from typing import Any, ClassVar, Self
from urllib.parse import quote

from providers.contract import (
    AccountStanding,
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
    JobNotFound,
    ProviderError,
    RateLimited,
    ReadFailed,
    RenderFailed,
    RequestRefused,
    UnsupportedFeature,
)
from providers.facts import ContentType, PriceUnit, ProviderLimits, Restriction, SwitchControl, VideoModel
from providers.http import Answer, BadStatus, Client, HttpError, UnusableBody, client
from providers.submission import read_error, submission_error

# The queue of an account without a plan; per minute nothing is counted, so that figure is only a brake of ours.
LIMITS = ProviderLimits(concurrent=5, per_minute=60)
# Before the id of a v6 job, whose route is another, and before the token of one, to know it again in its webhook.
V6 = "v6:"
V6_TOKEN = "v6-"  # noqa: S105 - a mark, no secret
LONGEST_WAIT = 3600

_GOOGLE_RETIRED = datetime(2026, 6, 30, tzinfo=UTC)
_SORA_RETIRED = datetime(2026, 9, 24, tzinfo=UTC)
_GENERAL = frozenset(ContentType) - {ContentType.TALKING_PERSON}
_STILL = SwitchControl(name="camera_fixed", description="Keep the camera still.")

MODELS = (
    VideoModel(
        id="modelslab/veo-3.1",
        provider="modelslab",
        vendor_model="veo-3.1",
        name="Veo 3.1 (ModelsLab)",
        description="Google's Veo 3.1, from text, with sound.",
        modes=frozenset({Mode.TEXT}),
        default_duration=8,
        durations=(8,),
        resolutions=("720p", "1080p"),
        ratios=("16:9", "9:16"),
        max_prompt_length=2_000,
        negative_prompt=True,
        audio=True,
        enhance=True,
        strengths=frozenset(ContentType),
        quality=5,
        price_unit=PriceUnit.CLIP,
        expected_seconds=timedelta(seconds=180),
        webhook_expected=True,
        limits=LIMITS,
    ),
    VideoModel(
        id="modelslab/text-to-video-ultra",
        provider="modelslab",
        vendor_model="text2video_ultra",
        name="Wan 2.2 Ultra (ModelsLab)",
        description="ModelsLab's own Wan 2.2 at 480p, from text or an image, with a seed.",
        modes=frozenset({Mode.TEXT, Mode.IMAGE}),
        default_duration=8,
        durations=(5, 6, 7, 8, 10),
        resolutions=("480p",),
        ratios=("16:9", "9:16"),
        max_prompt_length=2_000,
        negative_prompt=True,
        seed=True,
        strengths=frozenset({ContentType.LANDSCAPE, ContentType.ANIMATION, ContentType.OTHER}),
        quality=2,
        price_unit=PriceUnit.CLIP,
        expected_seconds=timedelta(seconds=120),
        webhook_expected=True,
        limits=LIMITS,
    ),
    VideoModel(
        id="modelslab/wan-2.2-t2v",
        provider="modelslab",
        vendor_model="wan2.2",
        name="Wan 2.2 (ModelsLab)",
        description="ModelsLab's own Wan 2.2 at 480p, from text, with a seed; its 10 seconds have 12 pictures each.",
        modes=frozenset({Mode.TEXT}),
        default_duration=10,
        durations=(5, 6, 7, 8, 10),
        resolutions=("480p",),
        ratios=("16:9", "9:16"),
        max_prompt_length=2_000,
        negative_prompt=True,
        seed=True,
        strengths=frozenset({ContentType.LANDSCAPE, ContentType.ANIMATION, ContentType.OTHER}),
        quality=2,
        price_unit=PriceUnit.CLIP,
        expected_seconds=timedelta(seconds=120),
        webhook_expected=True,
        limits=LIMITS,
    ),
    VideoModel(
        id="modelslab/seedance-t2v",
        provider="modelslab",
        vendor_model="seedance-t2v",
        name="Seedance (ModelsLab)",
        description="ByteDance's Seedance, from text or an image.",
        modes=frozenset({Mode.TEXT, Mode.IMAGE}),
        default_duration=5,
        durations=(5,),
        resolutions=("480p", "720p"),
        ratios=("16:9", "4:3", "1:1", "9:21"),
        max_prompt_length=2_000,
        controls=(_STILL,),
        strengths=_GENERAL,
        quality=3,
        price_unit=PriceUnit.CLIP,
        expected_seconds=timedelta(seconds=90),
        webhook_expected=True,
        limits=LIMITS,
    ),
    VideoModel(
        id="modelslab/seedance-1.5-pro",
        provider="modelslab",
        vendor_model="seedance-1-5-pro",
        name="Seedance 1.5 Pro (ModelsLab)",
        description="ByteDance's Seedance 1.5 Pro, from text or an image, as long and large as the vendor makes it.",
        modes=frozenset({Mode.TEXT, Mode.IMAGE}),
        default_duration=5,
        durations=(5,),
        resolutions=("720p",),
        ratios=("16:9",),
        max_prompt_length=2_000,
        strengths=_GENERAL,
        quality=4,
        price_unit=PriceUnit.CLIP,
        expected_seconds=timedelta(seconds=120),
        webhook_expected=True,
        limits=LIMITS,
    ),
    VideoModel(
        id="modelslab/wan-2.6",
        provider="modelslab",
        vendor_model="wan2.6",
        name="Wan 2.6 (ModelsLab)",
        description="Alibaba's Wan 2.6, from text or an image, as long and large as the vendor makes it.",
        modes=frozenset({Mode.TEXT, Mode.IMAGE}),
        default_duration=5,
        durations=(5,),
        resolutions=("720p",),
        ratios=("16:9",),
        max_prompt_length=2_000,
        strengths=frozenset({ContentType.LANDSCAPE, ContentType.PERSON, ContentType.OTHER}),
        quality=4,
        price_unit=PriceUnit.CLIP,
        expected_seconds=timedelta(seconds=120),
        webhook_expected=True,
        limits=LIMITS,
    ),
    VideoModel(
        id="modelslab/hailuo-2.3",
        provider="modelslab",
        vendor_model="Hailuo-2.3",
        name="Hailuo 2.3 (ModelsLab)",
        description="MiniMax's Hailuo 2.3: six seconds from text, six or ten from an image.",
        modes=frozenset({Mode.TEXT, Mode.IMAGE}),
        default_duration=6,
        durations=(6, 10),
        restrictions=(Restriction(modes=frozenset({Mode.TEXT}), durations=(6,)),),
        resolutions=("720p",),
        ratios=("16:9",),
        max_prompt_length=2_000,
        strengths=frozenset({ContentType.PERSON, ContentType.ACTION}),
        quality=4,
        price_unit=PriceUnit.CLIP,
        expected_seconds=timedelta(seconds=150),
        webhook_expected=True,
        limits=LIMITS,
    ),
    VideoModel(
        id="modelslab/kling-2.5-turbo",
        provider="modelslab",
        vendor_model="kling-v2-5-turbo",
        name="Kling 2.5 Turbo (ModelsLab)",
        description="Kuaishou's quick model. A clip from an image keeps the image's own ratio.",
        modes=frozenset({Mode.TEXT, Mode.IMAGE}),
        default_duration=5,
        durations=(5, 10),
        resolutions=("720p",),
        ratios=("16:9", "9:16", "1:1"),
        max_prompt_length=2_000,
        strengths=frozenset({ContentType.PERSON, ContentType.ACTION, ContentType.PRODUCT}),
        quality=4,
        price_unit=PriceUnit.CLIP,
        expected_seconds=timedelta(seconds=150),
        webhook_expected=True,
        limits=LIMITS,
    ),
    VideoModel(
        id="modelslab/gen4-aleph",
        provider="modelslab",
        vendor_model="gen4_aleph",
        name="Gen-4 Aleph (ModelsLab)",
        description="Runway's Aleph: changes a video (at most 16 MB: MP4, WebM, MOV or Ogg) by words.",
        modes=frozenset({Mode.VIDEO}),
        source_sets_length=True,
        default_duration=5,
        durations=(5,),
        resolutions=("720p",),
        ratios=("16:9", "9:16", "4:3", "1:1", "3:4", "21:9"),
        max_prompt_length=1_000,
        strengths=_GENERAL,
        quality=4,
        price_unit=PriceUnit.CLIP,
        expected_seconds=timedelta(seconds=180),
        webhook_expected=True,
        limits=LIMITS,
    ),
    VideoModel(
        id="modelslab/ltx-2.3-pro",
        provider="modelslab",
        vendor_model="ltx-2-3-pro",
        name="LTX 2.3 Pro (ModelsLab)",
        description="Lightricks' model at 1080p, from text or an image.",
        modes=frozenset({Mode.TEXT, Mode.IMAGE}),
        default_duration=6,
        durations=(6, 8, 10),
        resolutions=("1080p",),
        ratios=("16:9",),
        max_prompt_length=2_000,
        strengths=frozenset({ContentType.LANDSCAPE, ContentType.ANIMATION, ContentType.OTHER}),
        quality=3,
        price_unit=PriceUnit.CLIP,
        expected_seconds=timedelta(seconds=90),
        webhook_expected=True,
        limits=LIMITS,
    ),
    VideoModel(
        id="modelslab/veo-3",
        provider="modelslab",
        vendor_model="veo3",
        name="Veo 3 (ModelsLab)",
        description="Google's Veo 3, retired upstream in June 2026: modelslab/veo-3.1 takes its place.",
        modes=frozenset({Mode.TEXT}),
        default_duration=8,
        durations=(8,),
        resolutions=("720p", "1080p"),
        ratios=("16:9", "9:16"),
        max_prompt_length=2_000,
        negative_prompt=True,
        audio=True,
        enhance=True,
        retires_at=_GOOGLE_RETIRED,
        successor="modelslab/veo-3.1",
        strengths=frozenset(),
        quality=4,
        price_unit=PriceUnit.CLIP,
        expected_seconds=timedelta(seconds=180),
        webhook_expected=True,
        limits=LIMITS,
    ),
    VideoModel(
        id="modelslab/veo-2",
        provider="modelslab",
        vendor_model="veo2",
        name="Veo 2 (ModelsLab)",
        description="Google's Veo 2, retired upstream in June 2026: modelslab/veo-3.1 takes its place.",
        modes=frozenset({Mode.TEXT}),
        default_duration=8,
        durations=(8,),
        resolutions=("720p",),
        ratios=("16:9", "9:16"),
        max_prompt_length=2_000,
        negative_prompt=True,
        enhance=True,
        retires_at=_GOOGLE_RETIRED,
        successor="modelslab/veo-3.1",
        strengths=frozenset(),
        quality=3,
        price_unit=PriceUnit.CLIP,
        expected_seconds=timedelta(seconds=120),
        webhook_expected=True,
        limits=LIMITS,
    ),
    VideoModel(
        id="modelslab/sora-2",
        provider="modelslab",
        vendor_model="sora-2",
        name="Sora 2 (ModelsLab)",
        description="OpenAI's Sora 2, shut down in September 2026: modelslab/veo-3.1 takes its place.",
        modes=frozenset({Mode.TEXT}),
        default_duration=8,
        durations=(4, 8, 12),
        resolutions=("720p",),
        ratios=("16:9", "9:16"),
        max_prompt_length=2_000,
        retires_at=_SORA_RETIRED,
        successor="modelslab/veo-3.1",
        strengths=frozenset(),
        quality=4,
        price_unit=PriceUnit.CLIP,
        expected_seconds=timedelta(seconds=180),
        webhook_expected=True,
        limits=LIMITS,
    ),
)

# The vendor's word, ours. Everything else is UNKNOWN.
STATES: Mapping[str, RenderState] = {
    "processing": RenderState.RUNNING,
    "success": RenderState.SUCCEEDED,
    "error": RenderState.FAILED,
    "failed": RenderState.FAILED,
}
# Where an error is told by its text, in this order.
TEXTS: Sequence[tuple[tuple[str, ...], str]] = (
    (("rate limit", "queue"), "slow down"),
    (("credit", "balance", "subscription"), "balance"),
    (("api key",), "key"),
    (("nsfw", "content", "policy"), "moderated"),
    # The vendor's notes take these for a refused value; but who says so may have begun.
    (("server error", "internal error", "timed out", "timeout"), "unclear"),
    # So may who says one of these, of a submission. Of a render they speak as any other words do.
    (("try again", "went wrong", "unavailable", "unable", "failed to", "connect"), "perhaps"),
)
# Statuses that leave it to the text what is wrong.
TOLD_BY_TEXT = frozenset({400, 422})
# What a text says that refuses a field for its form.
OF_THE_FORM = re.compile(r"\b(?:lists?|arrays?|strings?|format)\b")
# The account's plan does not have what was asked for.
NOT_IN_THE_PLAN = 403
# An error of a status call that only means "not yet", and one that means "not known".
NOT_YET = ("processing", "try again")
NOT_FOUND = ("not found",)

# Seconds to frames and frames a second, as v6 counts: 81 to 120 frames, at most 16 a second. Five seconds are the
# vendor's own pair, of which the first frame is one too many.
FRAMES: Mapping[int, tuple[int, int]] = {5: (81, 16), 6: (96, 16), 7: (112, 16), 8: (120, 15), 10: (120, 12)}
LINES: Mapping[str, int] = {"480p": 480}
PIXELS: Mapping[str, str] = {
    "16:9": "1280:720",
    "9:16": "720:1280",
    "4:3": "1104:832",
    "1:1": "960:960",
    "3:4": "832:1104",
    "21:9": "1584:672",
}
_VIDEO_TYPES = frozenset({"video/mp4", "video/webm", "video/quicktime", "video/ogg"})
_TEXT, _IMAGE, _VIDEO = "text-to-video", "image-to-video", "video-to-video"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """How one model is asked: its id, its call, and which of the common fields it takes."""

    model: str
    call: str
    v6: bool = False
    ratio: bool = False
    pixels: bool = False
    """Whether ratios are said in pixels."""
    resolution: bool = False
    duration: bool = False
    audio: bool = False
    enhance: bool = False
    negative_prompt: bool = False
    seed: bool = False
    still: bool = False
    """Whether it has `camera_fixed`."""


_VEO = Wire(
    model="veo-3.1",
    call=_TEXT,
    ratio=True,
    resolution=True,
    duration=True,
    audio=True,
    enhance=True,
    negative_prompt=True,
)
_WAN = Wire(model="wan2.2", call="text2video_ultra", v6=True, negative_prompt=True, seed=True)
WIRES: Mapping[tuple[str, Mode], Wire] = {
    ("veo-3.1", Mode.TEXT): _VEO,
    ("veo3", Mode.TEXT): Wire(
        model="veo3",
        call=_TEXT,
        ratio=True,
        resolution=True,
        duration=True,
        audio=True,
        enhance=True,
        negative_prompt=True,
    ),
    ("veo2", Mode.TEXT): Wire(
        model="veo2", call=_TEXT, ratio=True, duration=True, enhance=True, negative_prompt=True
    ),
    ("sora-2", Mode.TEXT): Wire(model="sora-2", call=_TEXT, ratio=True, duration=True),
    ("text2video_ultra", Mode.TEXT): _WAN,
    ("text2video_ultra", Mode.IMAGE): Wire(
        model="wan2.2", call="img2video_ultra", v6=True, negative_prompt=True, seed=True
    ),
    ("wan2.2", Mode.TEXT): _WAN,
    ("seedance-t2v", Mode.TEXT): Wire(
        model="seedance-t2v", call=_TEXT, ratio=True, resolution=True, still=True
    ),
    ("seedance-t2v", Mode.IMAGE): Wire(
        model="seedance-i2v", call=_IMAGE, ratio=True, resolution=True, still=True
    ),
    ("seedance-1-5-pro", Mode.TEXT): Wire(model="seedance-1-5-pro", call=_TEXT),
    ("seedance-1-5-pro", Mode.IMAGE): Wire(model="seedance-1-5-pro", call=_IMAGE),
    ("wan2.6", Mode.TEXT): Wire(model="wan2.6-t2v", call=_TEXT),
    ("wan2.6", Mode.IMAGE): Wire(model="wan2.6-i2v", call=_IMAGE),
    ("Hailuo-2.3", Mode.TEXT): Wire(model="Hailuo-2.3-t2v", call=_TEXT),
    ("Hailuo-2.3", Mode.IMAGE): Wire(model="Hailuo-2.3-i2v", call=_IMAGE, duration=True),
    ("kling-v2-5-turbo", Mode.TEXT): Wire(
        model="kling-v2-5-turbo-t2v", call=_TEXT, ratio=True, duration=True
    ),
    # The vendor spells this id with capitals.
    ("kling-v2-5-turbo", Mode.IMAGE): Wire(model="Kling-V2-5-Turbo-i2v", call=_IMAGE, duration=True),
    ("gen4_aleph", Mode.VIDEO): Wire(model="gen4_aleph", call=_VIDEO, ratio=True, pixels=True),
    ("ltx-2-3-pro", Mode.TEXT): Wire(model="ltx-2-3-pro-t2v", call=_TEXT, resolution=True, duration=True),
    ("ltx-2-3-pro", Mode.IMAGE): Wire(model="ltx-2-3-pro-i2v", call=_IMAGE, resolution=True, duration=True),
}


class ModelsLabProvider(VideoProvider):
    name = "modelslab"
    settings: ClassVar[Sequence[str]] = ("MODELSLAB_API_KEY", "MODELSLAB_URL")
    defaults: ClassVar[Mapping[str, str]] = {"MODELSLAB_URL": "https://modelslab.com/api"}
    webhooks = Webhooks.TOKEN
    notes: ClassVar[Sequence[str]] = (
        "The key goes inside the body of every call: a proxy between us and ModelsLab must not log bodies.",
        "Webhooks are not signed: only the token in our URL speaks for them, and `track_id` carries ours back.",
        "There is no cancel, no list and no idempotency: a lost answer can only be told by its webhook.",
        (
            "An account without a plan may have five renders waiting or running over all its calls, ten or fifteen with "
            "one: set PROVIDER_LIMITS to what yours has."
        ),
        (
            "Errors are told apart by their text, as the vendor's own notes do; what is in none of the lists is a value "
            "that was refused, unless it speaks of the server, of time that ran out or of another try: that may have "
            "been accepted."
        ),
        "Success without a file counts as running where the answer names links to come or a wait, else as failed.",
        "A status call's error that says processing or try again counts as running: not confirmed.",
        (
            "Images and videos go as a list, and once more as one link if the form of that field is refused: the "
            "vendor's documents say both."
        ),
        "The mirrors in `proxy_links` are not used.",
        (
            "Not confirmed: the lengths of prompts, what Veo 3.1 takes besides a prompt, whether it is still served, the "
            "call for the balance, and every price but that of the ultra calls."
        ),
        (
            "Seedance, Wan 2.6 and Hailuo from text have no documented field for the duration, most have none for the "
            "resolution: what is listed is what they are known to make."
        ),
        "LTX's 4K and its frames a second are not offered, because nothing says how they are spelled.",
        (
            "Wan 2.2 is asked for `output_type` mp4 on the ultra calls too, where the field is not documented: "
            "on the older calls the default is a GIF."
        ),
        "The vendor's Python client states no licence, so that nothing here was held against it.",
    )

    def __init__(self, *, url: str, api_key: str, http: Client | None = None) -> None:
        """`http` replaces the process's client."""
        self._url = url.rstrip("/")
        self._key = api_key
        self._http = http

    @classmethod
    def from_settings(cls, values: Mapping[str, str]) -> Self:
        return cls(url=values["MODELSLAB_URL"], api_key=values["MODELSLAB_API_KEY"])

    def submit(self, request: RenderRequest, *, client_token: str, callback_url: str | None) -> Submission:
        wire = WIRES.get((request.model, request.mode))
        if wire is None:
            raise UnsupportedFeature(self.name, f"{request.mode} with this model")
        order = _order(request, wire) | {"track_id": f"{V6_TOKEN if wire.v6 else ''}{client_token}"}
        if callback_url is not None:
            order["webhook"] = callback_url
        path = f"/v6/video/{wire.call}" if wire.v6 else f"/v7/video-fusion/{wire.call}"
        answer = self._ask(path, order)
        name = _refused_list(answer, order)
        if name is not None:
            # Refused for its form, so nothing was accepted: the SDK gives one link where the documents have a list.
            answer = self._ask(path, order | {name: _only(order[name])})
        body = _json(answer)
        match body:
            case {"id": id, "status": str(word)} if answer.ok and (job_id := _id(id)):
                return Submission(external_id=f"{V6 if wire.v6 else ''}{job_id}", vendor_state=word)
            case _:
                raise self._not_accepted(answer, body)

    def fetch(self, external_id: str) -> RenderUpdate:
        v6 = external_id.startswith(V6)
        job_id = quote(external_id.removeprefix(V6), safe="")
        answer = self._look(f"/v6/video/fetch/{job_id}" if v6 else f"/v7/video-fusion/fetch/{job_id}")
        body = _json(answer)
        if not answer.ok or not isinstance(body, dict):
            raise self._unread(answer, body)
        word = body.get("status")
        if word == "error" and (error := self._of_the_call(body)) is not None:
            raise error
        if not isinstance(word, str) or (_id(body.get("id")) or external_id.removeprefix(V6)) != (
            external_id.removeprefix(V6)
        ):
            raise ReadFailed(self.name)
        return self._update(external_id, word, body)

    def read_webhook(self, headers: Mapping[str, str], body: bytes) -> list[RenderUpdate]:
        try:
            message = loads(body)
        except (JSONDecodeError, UnicodeDecodeError, RecursionError):
            raise ReadFailed(self.name) from None
        match message:
            case {"id": id, "status": str(word)} if job_id := _id(id):
                pass
            case _:
                raise ReadFailed(self.name)
        track = message.get("track_id")
        token = track if isinstance(track, str) and track else None
        v6 = token is not None and token.startswith(V6_TOKEN)
        return [
            self._update(
                f"{V6 if v6 else ''}{job_id}",
                word,
                message,
                client_token=token.removeprefix(V6_TOKEN) if token is not None else None,
            )
        ]

    def account(self) -> AccountStanding:
        answer = self._look("/wallet_balance")
        body = _json(answer)
        match body:
            case {
                "status": "success",
                "data": {"balance": int() | float() as balance, "currency": str(currency)},
            } if answer.ok and not isinstance(balance, bool):
                return AccountStanding(balance=Decimal(str(balance)), currency=currency)
            case _:
                raise self._unread(answer, body)

    @property
    def _client(self) -> Client:
        return self._http or client()

    def _ask(self, path: str, body: Mapping[str, object]) -> Answer:
        """The answer to a submission, whatever its status. Raises NotSent or OutcomeUnknown."""
        try:
            return self._post(path, body)
        except HttpError as error:
            raise submission_error(self.name, error) from None

    def _look(self, path: str) -> Answer:
        """The answer to a call that only reads, whatever its status. Raises ReadFailed."""
        try:
            return self._post(path, {})
        except HttpError as error:
            raise read_error(self.name, error) from None

    def _post(self, path: str, body: Mapping[str, object]) -> Answer:
        return self._client.request("POST", f"{self._url}{path}", json={"key": self._key, **body})

    def _not_accepted(self, answer: Answer, body: Any) -> ProviderError:
        """What an answer that is no receipt means for the money."""
        kind = _kind(body) if answer.ok or answer.status in TOLD_BY_TEXT else ""
        if answer.status == NOT_IN_THE_PLAN:
            return RequestRefused(self.name, code=FailureCode.MODEL_UNAVAILABLE)
        if answer.status == 429 or kind == "slow down":
            return RateLimited(self.name, retry_after=_wait(answer, body))
        if answer.status == 402 or kind == "balance":
            return BalanceUsedUp(self.name)
        if kind == "key":
            return CredentialsRefused(self.name)
        if kind == "moderated":
            return RequestRefused(self.name, code=FailureCode.MODERATED)
        if answer.ok and kind == "other":
            return RequestRefused(self.name, code=FailureCode.INVALID)
        return submission_error(self.name, BadStatus(answer.host, answer))

    def _unread(self, answer: Answer, body: Any) -> ProviderError:
        """What an answer that says nothing of the render means."""
        if answer.status == 429:
            return RateLimited(self.name, retry_after=_wait(answer, body))
        if answer.status == 402:
            return BalanceUsedUp(self.name)
        if answer.ok:
            return (self._of_the_call(body) if isinstance(body, dict) else None) or ReadFailed(self.name)
        return read_error(self.name, BadStatus(answer.host, answer))

    def _of_the_call(self, body: Mapping[str, Any]) -> ProviderError | None:
        """What an error in a 200 says of the call itself; None where it speaks of the render."""
        text = _text(body)
        if any(word in text for word in NOT_YET):
            return None
        match _kind(body):
            case "slow down":
                return RateLimited(self.name, retry_after=_wait(None, body))
            case "balance":
                return BalanceUsedUp(self.name)
            case "key":
                return CredentialsRefused(self.name)
            case "unclear" if not _id(body.get("id")):
                return ReadFailed(self.name)
        return JobNotFound(self.name) if any(word in text for word in NOT_FOUND) else None

    def _update(
        self, external_id: str, word: str, body: Mapping[str, Any], *, client_token: str | None = None
    ) -> RenderUpdate:
        state = STATES.get(word, RenderState.UNKNOWN)
        text = _text(body)
        output = _output(body)
        failure: ProviderError | None = None
        if state is RenderState.SUCCEEDED and output is None:
            if _to_come(body):
                state = RenderState.RUNNING
            else:
                state = RenderState.FAILED
                failure = RenderFailed(self.name, code=FailureCode.NO_MEDIA, retryable=True)
        elif word == "error" and any(known in text for known in NOT_YET):
            state = RenderState.RUNNING
        elif state is RenderState.FAILED:
            moderated = _kind({**body, "status": "error"}) == "moderated"
            code = FailureCode.MODERATED if moderated else FailureCode.VENDOR_FAULT
            failure = RenderFailed(self.name, code=code, retryable=not moderated)
        return RenderUpdate(
            external_id=external_id,
            state=state,
            vendor_state=word,
            output=output if state is RenderState.SUCCEEDED else None,
            failure=failure,
            client_token=client_token,
        )


def _order(request: RenderRequest, wire: Wire) -> dict[str, object]:
    _check(request, wire)
    order: dict[str, object] = {"model_id": wire.model, "prompt": request.prompt}
    if request.negative_prompt:
        order["negative_prompt"] = request.negative_prompt
    if request.seed is not None:
        order["seed"] = request.seed
    if wire.v6:
        return order | _v6_fields(request)
    if wire.ratio:
        order["aspect_ratio"] = PIXELS[request.ratio] if wire.pixels else request.ratio
    if wire.resolution:
        order["resolution"] = request.resolution
    if wire.duration:
        order["duration"] = str(request.duration_seconds)
    if wire.audio:
        order["generate_audio"] = request.audio
    if wire.enhance:
        order["enhance_prompt"] = request.enhance
    if wire.still:
        order["camera_fixed"] = request.controls.get("camera_fixed", False)
    if request.start_image is not None:
        order["init_image"] = [request.start_image.url]
    if request.source_video is not None:
        order["init_video"] = [request.source_video.url]
    return order


def _v6_fields(request: RenderRequest) -> dict[str, object]:
    frames, fps = FRAMES[request.duration_seconds]
    fields: dict[str, object] = {
        "resolution": LINES[request.resolution],
        "num_frames": frames,
        "fps": fps,
        "portrait": request.ratio == "9:16",
        "output_type": "mp4",
    }
    if request.start_image is not None:
        fields["init_image"] = request.start_image.url
    return fields


def _check(request: RenderRequest, wire: Wire) -> None:
    """Raises UnsupportedFeature for what is asked and can't be said."""
    start, end, video = request.start_image, request.end_image, request.source_video
    inputs = {Mode.TEXT: (False, False), Mode.IMAGE: (True, False), Mode.VIDEO: (False, True)}
    unknown = request.controls.keys() - ({"camera_fixed"} if wire.still else set())
    wanted = [
        (end is not None or inputs[request.mode] != (start is not None, video is not None), "these inputs"),
        (video is not None and video.media_type not in _VIDEO_TYPES, "this type of video"),
        (request.style is not None, "style"),
        (request.audio and not wire.audio, "audio"),
        (request.enhance and not wire.enhance, "prompt enhancement"),
        (request.seed is not None and not wire.seed, "seed"),
        (bool(request.negative_prompt) and not wire.negative_prompt, "negative prompt"),
        (wire.v6 and request.duration_seconds not in FRAMES, "this duration"),
        (wire.v6 and request.resolution not in LINES, "this resolution"),
        (wire.v6 and request.ratio not in ("16:9", "9:16"), "this ratio"),
        (wire.pixels and request.ratio not in PIXELS, "this ratio"),
        *((True, f"the control {name}") for name in sorted(unknown)),
    ]
    for missing, feature in wanted:
        if missing:
            raise UnsupportedFeature(ModelsLabProvider.name, feature)


def _refused_list(answer: Answer, order: Mapping[str, object]) -> str | None:
    """The field whose form was refused, where the answer says so: a second post may be a second render."""
    if not answer.ok and answer.status not in TOLD_BY_TEXT:
        return None
    body = _json(answer)
    if _kind(body) != "other" or not isinstance(body, dict) or _id(body.get("id")):
        return None
    text = _text(body)
    if OF_THE_FORM.search(text) is None:
        return None
    return next((name for name, value in order.items() if isinstance(value, list) and name in text), None)


def _only(value: object) -> object:
    return value[0] if isinstance(value, list) else value


def _json(answer: Answer) -> Any:
    try:
        return answer.json()
    except UnusableBody:
        return None


def _id(value: object) -> str:
    """As text; empty for what is no id."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return ""
    return str(value)


def _text(body: Mapping[str, Any]) -> str:
    """What is said, in lower case, to look for words in."""
    said = body.get("message") or body.get("messege") or ""
    return (said if isinstance(said, str) else str(said)).casefold()


def _kind(body: object) -> str:
    """What an error is about by its text: one of TEXTS, "other", or empty where it is no error."""
    if not isinstance(body, dict) or body.get("status") != "error":
        return ""
    text = _text(body)
    return next((kind for words, kind in TEXTS if any(word in text for word in words)), "other")


def _wait(answer: Answer | None, body: object) -> timedelta | None:
    """The wait that the body asks for, else the header's."""
    seconds = body.get("retry_after") if isinstance(body, dict) else None
    if isinstance(seconds, int | float) and not isinstance(seconds, bool) and 0 <= seconds <= LONGEST_WAIT:
        return timedelta(seconds=seconds)
    return answer.retry_after if answer is not None else None


def _output(body: Mapping[str, Any]) -> OutputSource | None:
    match body.get("output"):
        case [str(url), *_] if url.startswith(("https://", "http://")):
            return OutputSource(url=url)
        case _:
            return None


def _to_come(body: Mapping[str, Any]) -> bool:
    """Whether an answer without a file names one that will be."""
    links, eta = body.get("future_links"), body.get("eta")
    waits = isinstance(eta, int | float) and not isinstance(eta, bool) and eta > 0
    return waits or bool(isinstance(links, list) and links)
