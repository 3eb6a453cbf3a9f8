"""xAI's Grok Imagine video as a local server. Facts: docs.x.ai and a maintained HTTP client, as of 2026-11."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar, Literal

from .fields import Check, flag, listed, structured, text, whole, word_of
from .server import Refused, Request, Response, parsed
from .video import OF_WEBHOOKS, Fault, Phase, VideoJob, VideoVendor

JSON = {"Content-Type": "application/json"}
TICKS = 10**10
RATIOS = ("16:9", "9:16", "1:1", "4:3", "3:4", "3:2", "2:3")
LONGEST_EDIT, SHORTEST_EXTENDED, LONGEST_EXTENDED = 8.7, 2.0, 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """What it makes, and what it costs in USD: a second by resolution, and a picture."""

    seconds: Mapping[str, str]
    picture: str
    pinned: bool
    """Whether it takes a last frame, key frames and voices, and a prompt may be empty beside a frame."""
    sources: bool
    """Whether it edits and extends."""


MODELS: Mapping[str, Model] = {
    "grok-imagine-video": Model(
        seconds={"480p": "0.05", "720p": "0.07"}, picture="0.002", pinned=False, sources=True
    ),
    "grok-imagine-video-1.5": Model(
        seconds={"480p": "0.08", "720p": "0.14", "1080p": "0.25"}, picture="0.01", pinned=True, sources=False
    ),
}
SOURCE_SECOND = "0.01"

# What each field holds, else 422; and of which values, else 400.
TYPES: Mapping[str, Check] = {
    "model": text,
    "prompt": text,
    "duration": lambda value: type(value) is int,
    "aspect_ratio": text,
    "resolution": text,
    "image": structured,
    "reference_images": listed,
    "last_frame": structured,
    "keyframes": listed,
    "reference_audios": listed,
    "generate_audio": flag,
    "storage_options": structured,
    "user": text,
    "video": structured,
}
ALWAYS = frozenset({"model", "prompt", "storage_options", "user"})
ROUTES: Mapping[str, frozenset[str]] = {
    "generations": frozenset(TYPES) - {"video"},
    "edits": ALWAYS | {"video"},
    "extensions": ALWAYS | {"video", "duration"},
}
PINS = frozenset({"last_frame", "keyframes", "reference_audios"})

# What a fault is called here: status, the flat form's code, the nested form's, and the sentence.
CALLED: Mapping[str, tuple[int, str, str, str]] = {
    "rate_limited": (429, "resource-exhausted", "rate_limit_exceeded", "Too many requests."),
    "no_balance": (
        403,
        "permission-denied",
        "permission_denied",
        "Your team has used all available credits or reached its monthly spending limit.",
    ),
    "invalid": (400, "invalid-argument", "invalid_value", "A value is not supported."),
    "moderated": (400, "invalid-argument", "invalid_value", "The request violates our usage guidelines."),
    "server_error": (500, "internal-error", "internal_error", "Internal error."),
    "not_found": (404, "not-found", "not_found", "The requested resource was not found."),
    "expired": (403, "permission-denied", "permission_denied", "The link has expired."),
    "unsupported_media_type": (415, "invalid-argument", "unsupported_media_type", "JSON is needed."),
    "invalid_json": (400, "invalid-argument", "invalid_json", "The body is not a JSON object."),
}


class XaiVideo(VideoVendor):
    """`error_form` and `wrong_key`: which of its two bodies, and statuses, it refuses with.

    `pending` is the body beside a 202; `names_status` whether a finished video has its status; `failure` the code of one
    that failed, or "expired" where it ran out of time; `source_seconds` how long source videos are taken to be.
    """

    name = "xai"
    cannot: ClassVar[frozenset[Fault]] = OF_WEBHOOKS | {Fault.CANCELLED}

    def __init__(
        self,
        *,
        key: str = "xai-simulated0123456789",
        seconds: float = 0.4,
        error_form: Literal["nested", "flat"] = "flat",
        wrong_key: Literal[400, 401] = 401,
        pending: Literal["empty", "json"] = "empty",
        names_status: bool = True,
        failure: str = "internal_error",
        source_seconds: float = 5.0,
    ) -> None:
        super().__init__(key=key, seconds=seconds)
        self.error_form = error_form
        self.wrong_key = wrong_key
        self.pending = pending
        self.names_status = names_status
        self.failure = failure
        self.source_seconds = source_seconds

    @property
    def url(self) -> str:
        return f"{self.root}/v1"

    def environment(self) -> dict[str, str]:
        return {"XAI_API_KEY": self.key, "XAI_URL": self.url}

    def new_id(self) -> str:
        return f"8d2d1c6e-8a77-4a3c-bf0a-{self.number():012x}"

    def respond(self, request: Request) -> Response:
        if (served := self.served_file(request)) is not None:
            return served
        if request.headers.get("authorization") != f"Bearer {self.key}":
            raise Refused(401, "wrong_key", "")
        match (request.method, request.path.split("/")[1:]):
            case ("POST", ["v1", "videos", route]) if route in ROUTES:
                return self._create(request, route)
            case ("GET", ["v1", "videos", id]) if id not in ROUTES:
                return self.looked_at(id, self._look)
            case ("GET", ["v1", "models"]):
                listed_models = [{"id": name, "object": "model", "owned_by": "xai"} for name in MODELS]
                return _json({"object": "list", "data": listed_models})
            case (_, ["v1", "videos", _] | ["v1", "models"]):
                raise Refused(405, "method_not_allowed", "Method not allowed.")
            case _:
                raise Refused(404, "not_found", "")

    def refuse(self, request: Request, refused: Refused) -> Response:
        status, flat, nested, message = CALLED.get(
            refused.code, (refused.status, refused.code.replace("_", "-"), refused.code, refused.message)
        )
        if refused.code == "wrong_key":
            status, message = self.wrong_key, "Incorrect API key provided."
            flat, nested = ("invalid-argument" if status == 400 else "unauthenticated"), "invalid_api_key"
        message = refused.message if refused.message and refused.code == "invalid" else message
        request.code = flat if self.error_form == "flat" else nested
        body: dict[str, Any] = {"code": flat, "error": message}
        if self.error_form == "nested":
            error = {"message": message, "type": "invalid_request_error", "code": nested}
            body = {"error": error | {"param": refused.more.get("param")}}
        headers = dict(JSON)
        if status == 429 and refused.more.get("retry_after") is not None:
            headers["Retry-After"] = str(refused.more["retry_after"])
        return Response(status=status, headers=headers, body=json.dumps(body).encode())

    # --- asking for a video ---

    def _create(self, request: Request, route: str) -> Response:
        body = parsed(request)
        for name, value in body.items():
            if name not in ROUTES[route]:
                raise _invalid(name, "is not supported")
            if not TYPES[name](value):
                raise Refused(422, "invalid_type", f"{name}: invalid type", param=name)
        for name in ("model", "prompt", *(() if route == "generations" else ("video",))):
            if name not in body:
                raise _invalid(name, "is required")
        model = MODELS.get(body["model"])
        if model is None:
            raise Refused(404, "not_found", "")
        if len(body["prompt"]) > 4_096:
            raise _invalid("prompt", "is too long")
        seconds, each, inputs = (
            self._check_generation(body, model)
            if route == "generations"
            else self._check_source(body, model, route)
        )
        cost = Decimal(str(seconds)) * Decimal(each) + inputs
        return self.accepted(
            body,
            None,
            lambda job: _json({"request_id": job.id}),
            length=seconds,
            ticks=int(cost * TICKS),
        )

    def _check_generation(self, body: Mapping[str, Any], model: Model) -> tuple[float, str, Decimal]:
        """Its length in seconds, what a second costs, and what its inputs cost. Raises Refused."""
        seconds = body.get("duration", 8)
        resolution = body.get("resolution", "480p")
        for name, good in {
            "duration": whole(1, 15)(seconds),
            "aspect_ratio": word_of(*RATIOS)(body.get("aspect_ratio", "16:9")),
            "resolution": resolution in model.seconds,
        }.items():
            if not good:
                raise _invalid(name, "is not supported by this model")
        for name in PINS & body.keys():
            if not model.pinned:
                raise _invalid(name, "is not supported by this model")
        framed = model.pinned and bool({"image", "last_frame"} & body.keys())
        if not body["prompt"] and not framed:
            raise _invalid("prompt", "is empty")
        pictures = [body[name] for name in ("image", "last_frame") if name in body]
        if "reference_images" in body:
            references = body["reference_images"]
            if not 1 <= len(references) <= 7 or resolution == "1080p":
                raise _invalid("reference_images", "does not go with this")
            if not model.pinned and (seconds > 10 or "image" in body):
                raise _invalid("reference_images", "does not go with this")
            pictures += references
        for picture in pictures:
            self._check_input(picture, "image", "data:image/")
        return seconds, model.seconds[resolution], Decimal(model.picture) * len(pictures)

    def _check_source(self, body: Mapping[str, Any], model: Model, route: str) -> tuple[float, str, Decimal]:
        """As of a generation."""
        if not model.sources:
            raise _invalid("model", "does not edit or extend videos")
        if not body["prompt"]:
            raise _invalid("prompt", "is empty")
        longest = LONGEST_EDIT if route == "edits" else LONGEST_EXTENDED
        if self.source_seconds > longest or (
            route == "extensions" and self.source_seconds < SHORTEST_EXTENDED
        ):
            raise _invalid("video", "has a length that is not supported")
        seconds = body.get("duration", 6) if route == "extensions" else self.source_seconds
        if route == "extensions" and not whole(1, 10)(seconds):
            raise _invalid("duration", "is not supported by this model")
        self._check_input(body["video"], "video", "data:video/")
        return seconds, model.seconds["720p"], Decimal(SOURCE_SECOND) * Decimal(str(self.source_seconds))

    def _check_input(self, media: object, name: str, embedded: str) -> None:
        match media:
            case {"url": str(url), **rest} if not rest:
                if not url.startswith(embedded) and not self.reachable(url):
                    raise _invalid(name, "can't be fetched")
            case {"file_id": str(), **rest} if not rest:
                raise _invalid(name, "is not a file of this team")
            case _:
                raise _invalid(name, "needs a url or a file_id")

    # --- looking at it ---

    def _look(self, job: VideoJob) -> Response:
        usage = {"usage": {"cost_in_usd_ticks": job.more["ticks"]}, "model": job.body["model"]}
        match job.phase:
            case Phase.QUEUED | Phase.RUNNING:
                if self.pending == "empty":
                    return Response(status=202)
                return _json({"status": "pending", "progress": job.percent}, 202)
            case Phase.UNKNOWN:
                return _json({"status": "warming_up", "progress": 0})
            case Phase.FAILED if self.failure == "expired":
                return _json({"status": "expired", "progress": 0})
            case Phase.FAILED:
                error = {"code": self.failure, "message": "generation failed"}
                return _json({"status": "failed", "progress": 0, "error": error})
            case Phase.MODERATED:
                blocked = {"url": "", "duration": 0, "respect_moderation": False}
                return _json({"status": "done", "progress": 100, "video": blocked, **usage})
        video = {
            "url": self.link(job) if job.has_media else "",
            "duration": round(job.more["length"]),
            "respect_moderation": True,
        }
        done = {"status": "done"} if self.names_status else {}
        return _json({**done, "progress": 100, "video": video, **usage})


def _invalid(name: str, what: str) -> Refused:
    return Refused(400, "invalid", f"{name} {what}", param=name)


def _json(body: object, status: int = 200) -> Response:
    return Response(status=status, headers=dict(JSON), body=json.dumps(body).encode())
