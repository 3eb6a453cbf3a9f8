"""Veo 3.1 on Google Cloud: `:predictLongRunning` and `:fetchPredictOperation`, by a service account.

Source: Google Cloud's pages of the models and google-genai 3.4 in its Cloud mode.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from types import MappingProxyType
from typing import Any, ClassVar, Self
from urllib.parse import quote

from providers import inputs
from providers.contract import (
    Mode,
    OutputSource,
    RenderRequest,
    RenderState,
    RenderUpdate,
    Submission,
    VideoProvider,
)
from providers.errors import (
    CredentialsRefused,
    FailureCode,
    JobNotFound,
    NotSent,
    OutcomeUnknown,
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
from providers.http import BadStatus, Client, HttpError, client

from . import veo_operations
from .google_access import NoToken, ServiceAccount, Tokens
from .google_errors import read_failure, submission_failure

LIMITS = ProviderLimits(concurrent=10, per_minute=10)
# An answer with the longest video of the best quality inside.
MOST_ANSWER_BYTES = 1 << 29
# For it to arrive.
LOOK_SECONDS = 40.0
# What of an earlier video goes inline into a request.
MOST_SOURCE_BYTES = 15_000_000
MOST_SEED = 2**32 - 1

_RESIZE = ChoiceControl(
    name="resize_mode",
    description="How a picture of another ratio is fitted: with bars, or cut.",
    choices=("pad", "crop"),
)
_MODES = frozenset({Mode.TEXT, Mode.IMAGE, Mode.FIRST_LAST})
_EVERYTHING = frozenset(ContentType) - {ContentType.TEXT}
_ONLY_EIGHT = (
    Restriction(resolutions=("1080p", "4K"), durations=(8,)),
    Restriction(modes=frozenset({Mode.FIRST_LAST, Mode.VIDEO}), durations=(8,)),
)
_NO_LARGE_CONTINUATION = Restriction(modes=frozenset({Mode.VIDEO}), resolutions=("1080p", "4K"))

MODELS: tuple[VideoModel, ...] = (
    VideoModel(
        id="vertex/veo-3.1",
        provider="vertex",
        vendor_model="veo-3.1-generate-001",
        name="Veo 3.1",
        description="Google's best: people who speak, sound that fits, up to 4K.",
        modes=_MODES | {Mode.VIDEO},
        default_duration=8,
        durations=(4, 6, 8),
        resolutions=("720p", "1080p", "4K"),
        restrictions=(*_ONLY_EIGHT, _NO_LARGE_CONTINUATION),
        ratios=("16:9", "9:16"),
        max_prompt_length=veo_operations.MOST_LETTERS,
        negative_prompt=True,
        audio=True,
        enhance=True,
        seed=True,
        controls=(_RESIZE,),
        strengths=_EVERYTHING,
        quality=5,
        price_unit=PriceUnit.SECOND,
        expected_seconds=timedelta(seconds=90),
        limits=LIMITS,
    ),
    VideoModel(
        id="vertex/veo-3.1-fast",
        provider="vertex",
        vendor_model="veo-3.1-fast-generate-001",
        name="Veo 3.1 Fast",
        description="Veo 3.1 at a quarter of its price, a little less fine.",
        modes=_MODES | {Mode.VIDEO},
        default_duration=8,
        durations=(4, 6, 8),
        resolutions=("720p", "1080p", "4K"),
        restrictions=(*_ONLY_EIGHT, _NO_LARGE_CONTINUATION),
        ratios=("16:9", "9:16"),
        max_prompt_length=veo_operations.MOST_LETTERS,
        negative_prompt=True,
        audio=True,
        enhance=True,
        seed=True,
        controls=(_RESIZE,),
        strengths=_EVERYTHING,
        quality=4,
        price_unit=PriceUnit.SECOND,
        expected_seconds=timedelta(seconds=60),
        limits=LIMITS,
    ),
    VideoModel(
        id="vertex/veo-3.1-lite",
        provider="vertex",
        vendor_model="veo-3.1-lite-generate-001",
        name="Veo 3.1 Lite",
        description="The cheapest Veo, up to 1080p.",
        modes=_MODES,
        default_duration=8,
        durations=(4, 6, 8),
        resolutions=("720p", "1080p"),
        restrictions=_ONLY_EIGHT,
        ratios=("16:9", "9:16"),
        max_prompt_length=veo_operations.MOST_LETTERS,
        negative_prompt=True,
        audio=True,
        enhance=True,
        seed=True,
        controls=(_RESIZE,),
        strengths=frozenset({ContentType.LANDSCAPE, ContentType.PRODUCT, ContentType.ANIMATION}),
        quality=3,
        price_unit=PriceUnit.SECOND,
        expected_seconds=timedelta(seconds=45),
        limits=LIMITS,
    ),
)

_NAME = re.compile(
    r"projects/([\w:.-]+)/locations/([\w-]+)/publishers/google/models/([\w.@-]+)/operations/[\w.-]+", re.ASCII
)
_OBJECT = re.compile(r"gs://([^/]+)/(.+)")


class VertexProvider(VideoProvider):
    name = "vertex"
    settings: ClassVar[Sequence[str]] = (
        "VERTEX_PROJECT",
        "VERTEX_SERVICE_ACCOUNT",
        "VERTEX_REGION",
        "VERTEX_URL",
        "VERTEX_STORAGE_URL",
    )
    optional: ClassVar[Sequence[str]] = ("VERTEX_STORAGE_URI",)
    defaults: ClassVar[Mapping[str, str]] = MappingProxyType(
        {
            "VERTEX_REGION": "us-central1",
            "VERTEX_URL": "https://{region}-aiplatform.googleapis.com/v1",
            "VERTEX_STORAGE_URL": "https://storage.googleapis.com",
        }
    )
    notes: ClassVar[Sequence[str]] = (
        (
            "VERTEX_SERVICE_ACCOUNT is the JSON of a service account's key, as text; `{region}` in VERTEX_URL stands for "
            "VERTEX_REGION."
        ),
        (
            "Without VERTEX_STORAGE_URI (gs://bucket/prefix/) the video comes inside the answer, and every look at a "
            "finished render brings all of it; with it the account needs to read that bucket."
        ),
        (
            "Veo 3.1 Lite is a preview, its quota and that of the others is known to the project's console only, and a "
            "call to cancel is not documented (unconfirmed)."
        ),
        (
            "A continued video comes with the earlier one in front of it, seven seconds longer. Without a bucket our own "
            "copy is sent as its source; that the vendor takes it for its own is unconfirmed."
        ),
        "Lite's continuation of a video is not offered: nobody has confirmed it.",
    )

    def __init__(
        self,
        *,
        url: str,
        project: str,
        region: str,
        tokens: Tokens,
        storage_url: str = defaults["VERTEX_STORAGE_URL"],
        storage_uri: str = "",
        http: Client | None = None,
    ) -> None:
        """`{region}` in `url` is filled in; `storage_uri` is where videos are put, if not into the answer."""
        self._url = url.rstrip("/").replace("{region}", region)
        self._place = f"projects/{quote(project, safe='')}/locations/{quote(region, safe='')}"
        self._tokens = tokens
        # The token of a submission that was refused: the next one is made with another.
        self._refused = ""
        self._storage_url = storage_url.rstrip("/")
        self._storage_uri = storage_uri
        self._http = http

    @classmethod
    def from_settings(cls, values: Mapping[str, str]) -> Self:
        return cls(
            url=values["VERTEX_URL"],
            project=values["VERTEX_PROJECT"],
            region=values["VERTEX_REGION"],
            tokens=ServiceAccount(values["VERTEX_SERVICE_ACCOUNT"]),
            storage_url=values["VERTEX_STORAGE_URL"],
            storage_uri=values["VERTEX_STORAGE_URI"],
        )

    def submit(self, request: RenderRequest, *, client_token: str, callback_url: str | None) -> Submission:
        self._check(request)
        order = self._order(request, client_token)
        try:
            token = self._tokens.token(self._client, instead_of=self._refused)
        except NoToken as error:
            raise (CredentialsRefused if error.refused else NotSent)(self.name) from None
        model = f"{self._place}/publishers/google/models/{quote(request.model, safe='')}"
        url = f"{self._url}/{model}:predictLongRunning"
        try:
            answer = self._client.post_json(url, order, headers=_bearer(token))
        except HttpError as error:
            if isinstance(error, BadStatus) and error.status == 401:
                self._refused = token
            raise submission_failure(self.name, error, by_model=True) from None
        match answer:
            case {"name": str(operation)} if operation:
                return Submission(external_id=operation, vendor_state=veo_operations.RUNNING)
            case _:
                raise OutcomeUnknown(self.name)

    def fetch(self, external_id: str) -> RenderUpdate:
        answer, token = self._look(external_id, seconds=LOOK_SECONDS)
        operation = veo_operations.read(self.name, answer)
        output = self._output(external_id, operation.media, token)
        state, failure = operation.state, operation.failure
        if state is RenderState.SUCCEEDED and output is None:
            state = RenderState.FAILED
            failure = RenderFailed(self.name, code=FailureCode.NO_MEDIA, retryable=True)
        return RenderUpdate(
            external_id=external_id,
            state=state,
            vendor_state=operation.word,
            output=output,
            failure=failure,
        )

    @property
    def _client(self) -> Client:
        return self._http or client()

    def _check(self, request: RenderRequest) -> None:
        veo_operations.check(self.name, request)
        facts = next((one for one in MODELS if one.vendor_model == request.model), None)
        if facts is not None and request.mode not in facts.modes:
            raise UnsupportedFeature(self.name, f"{request.mode} with {request.model}")
        if request.seed is not None and not 0 <= request.seed <= MOST_SEED:
            raise UnsupportedFeature(self.name, "a seed of more than 32 bits")
        for control in request.controls:
            if control != _RESIZE.name:
                raise UnsupportedFeature(self.name, control)
            if request.start_image is None:
                raise UnsupportedFeature(self.name, f"{control} without a picture")

    def _order(self, request: RenderRequest, client_token: str) -> dict[str, object]:
        instance = veo_operations.instance(self.name, request, self._client)
        if request.source_video is not None:
            instance["video"] = self._source(request)
        # Sound has its price: what isn't said might be charged.
        parameters = veo_operations.parameters(request) | {"generateAudio": request.audio}
        if request.seed is not None:
            parameters["seed"] = request.seed
        if _RESIZE.name in request.controls:
            parameters["resizeMode"] = request.controls[_RESIZE.name]
        if self._storage_uri:
            parameters["storageUri"] = self._storage_uri
        # For whoever reads Google's bill: no call finds a render by it.
        labels = {"job": client_token}
        return {"instances": [instance], "parameters": parameters, "labels": labels}

    def _source(self, request: RenderRequest) -> dict[str, str]:
        """The earlier video: by its place in our bucket, else inline."""
        assert request.source_video is not None
        if self._storage_uri:
            try:
                answer, _ = self._look(request.source_video.vendor_id)
                media = veo_operations.read(self.name, answer).media or {}
            except JobNotFound:
                raise RequestRefused(self.name, code=FailureCode.INPUT_UNREADABLE) from None
            except ReadFailed:
                raise NotSent(self.name) from None
            if isinstance(place := media.get("gcsUri"), str):
                return {"gcsUri": place, "mimeType": "video/mp4"}
        content = inputs.read(self.name, self._client, request.source_video, max_bytes=MOST_SOURCE_BYTES)
        return {"bytesBase64Encoded": inputs.as_base64(content), "mimeType": request.source_video.media_type}

    def _look(self, operation: str, *, seconds: float | None = None) -> tuple[Any, str]:
        """The operation, videos cut out of it, and the token that it was read with; in so many seconds."""
        token = ""
        while True:
            refused = token
            try:
                token = self._tokens.token(self._client, instead_of=refused)
                answer = self._client.json_without_media(
                    "POST",
                    self._address(operation),
                    headers=_bearer(token),
                    json={"operationName": operation},
                    max_bytes=MOST_ANSWER_BYTES,
                    total_seconds=seconds,
                )
            except NoToken as error:
                raise (CredentialsRefused if error.refused else ReadFailed)(self.name) from None
            except BadStatus as error:
                # A token may end before its hour; the second is the last.
                if error.status == 401 and not refused:
                    continue
                raise read_failure(self.name, error, by_model=True) from None
            except HttpError as error:
                raise read_failure(self.name, error, by_model=True) from None
            return answer, token

    def _address(self, operation: str) -> str:
        """Where an operation is asked about: at its model, as its own name says; any other name is one segment."""
        if _NAME.fullmatch(operation) and "/../" not in operation and "/./" not in operation:
            return f"{self._url}/{operation.rpartition('/operations/')[0]}:fetchPredictOperation"
        models = f"{self._url}/{self._place}/publishers/google/models"
        return f"{models}/{quote(operation, safe='')}:fetchPredictOperation"

    def _output(self, operation: str, media: Mapping[str, Any] | None, token: str) -> OutputSource | None:
        match media or {}:
            case {"gcsUri": str(place)} if found := _OBJECT.fullmatch(place):
                bucket, name = (quote(part, safe="") for part in found.groups())
                url = f"{self._storage_url}/storage/v1/b/{bucket}/o/{name}?alt=media"
                return OutputSource(url=url, headers=_bearer(token))
            case {"bytesBase64Encoded": str(content)} if content:
                return OutputSource(
                    url=self._address(operation),
                    headers=_bearer(token),
                    base64_field="bytesBase64Encoded",
                    post={"operationName": operation},
                )
            case _:
                return None


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
