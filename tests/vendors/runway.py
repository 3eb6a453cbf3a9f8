"""Runway's API of 2024-11-06 as a local server. Facts: its specification, and its official client 5.24.0.

Stricter than the vendor says it is: a field that it does not list is refused, which is unconfirmed there.
"""

import base64
import binascii
import json
import re
import time
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes
from http import HTTPStatus
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from uuid import uuid4

from .fields import Check, flag, number, whole, word_of
from .server import Refused, Request, Response
from .video import ENDED, OF_WEBHOOKS, Fault, Phase, VideoJob, VideoVendor

VERSION = "2024-11-06"
JSON = {"Content-Type": "application/json"}
KEY = re.compile(r"key_[0-9a-f]{128}")

GEN4 = ("1280:720", "720:1280", "1104:832", "832:1104", "960:960", "1584:672")
VEO = ("1280:720", "720:1280", "1920:1080", "1080:1920")
ASPECTS = ("16:9", "4:3", "3:2", "1:1", "2:3", "3:4", "9:16", "21:9")
# Credits a second; of Veo with and without sound.
CREDITS: Mapping[str, tuple[int, int]] = {
    "gen4.5": (12, 12),
    "gen4_turbo": (5, 5),
    "veo3.1": (40, 20),
    "veo3.1_fast": (15, 10),
    "aleph2": (28, 28),
}
# What each kind of file may have: a link's bytes, a data URI's characters.
LARGEST = {"image": (16_000_000, 5_242_880), "video": (32_000_000, 16_777_216)}
LARGEST_UPLOAD = 200_000_000
SMALLEST_UPLOAD = 512
TYPES: Mapping[str, tuple[str, ...]] = {
    "image": ("image/jpeg", "image/png", "image/webp"),
    "video": ("video/mp4", "video/quicktime", "video/webm"),
}
SUFFIXES = {"jpg": "image", "jpeg": "image", "png": "image", "webp": "image"} | dict.fromkeys(
    ("mp4", "mov", "webm"), "video"
)
# A source's length isn't read; what it is taken for.
SOURCE_SECONDS = 5


def text(value: Any) -> bool:
    """1 to 1,000 UTF-16 units."""
    return isinstance(value, str) and 1 <= len(value.encode("utf-16-le", "surrogatepass")) // 2 <= 1_000


def moderation(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() <= {"publicFigureThreshold"}
        and value.get("publicFigureThreshold", "auto") in ("auto", "low")
    )


def a_uri(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def images(*positions: str) -> Check:
    """A URI, or a list of them with their places: the first is needed."""

    def check(value: Any) -> bool:
        if isinstance(value, str):
            return bool(value)
        if not isinstance(value, list) or not all(
            isinstance(one, dict) and one.keys() == {"uri", "position"} and a_uri(one["uri"]) for one in value
        ):
            return False
        places = [one["position"] for one in value]
        return (
            "first" in places and len(set(places)) == len(places) and all(one in positions for one in places)
        )

    return check


def keyframes(value: Any) -> bool:
    return isinstance(value, list) and 1 <= len(value) <= 5 and all(isinstance(one, dict) for one in value)


_SEED = {"seed": whole(0, 4_294_967_295)}
_GEN4: Mapping[str, Check] = {"promptText": text, "contentModeration": moderation, **_SEED}
_GEN45: Mapping[str, Check] = {
    **_GEN4,
    "duration": whole(2, 10),
    "outputFormat": word_of("mp4", "prores", "png_sequence"),
    "proresProfile": word_of("422", "4444", "422 Proxy", "422 LT", "422 HQ", "4444 XQ"),
}
_VEO: Mapping[str, Check] = {
    "promptText": text,
    "ratio": word_of(*VEO),
    "duration": lambda value: type(value) is int and value in (4, 6, 8),
    "negativePrompt": text,
    "audio": flag,
    **_SEED,
}


@dataclass(frozen=True, slots=True)
class Form:
    """The fields of one model at one path, and which it needs."""

    fields: Mapping[str, Check]
    required: frozenset[str]


_VEO_TEXT = Form(_VEO, frozenset({"promptText", "ratio"}))
_VEO_IMAGE = Form({**_VEO, "promptImage": images("first", "last")}, frozenset({"promptImage", "ratio"}))
FORMS: Mapping[str, Mapping[str, Form]] = {
    "/v1/image_to_video": {
        "gen4.5": Form(
            {**_GEN45, "promptImage": images("first"), "ratio": word_of(*GEN4)},
            frozenset({"promptImage", "promptText", "ratio", "duration"}),
        ),
        "gen4_turbo": Form(
            {
                **_GEN4,
                "promptImage": images("first"),
                "ratio": word_of(*GEN4),
                "duration": whole(2, 10),
            },
            frozenset({"promptImage", "ratio"}),
        ),
        "veo3.1": _VEO_IMAGE,
        "veo3.1_fast": _VEO_IMAGE,
    },
    "/v1/text_to_video": {
        "gen4.5": Form(
            {**_GEN45, "ratio": word_of("1280:720", "720:1280")},
            frozenset({"promptText", "ratio", "duration"}),
        ),
        "veo3.1": _VEO_TEXT,
        "veo3.1_fast": _VEO_TEXT,
    },
    "/v1/video_to_video": {
        "aleph2": Form(
            {
                **_GEN4,
                "videoUri": a_uri,
                "keyframes": keyframes,
                "targetAspectRatio": word_of(*ASPECTS),
                "outputFormat": word_of("mp4", "prores", "png_sequence", "sdr_rec709_10bit"),
                "proresProfile": word_of("422", "4444", "422 Proxy", "422 LT", "422 HQ", "4444 XQ"),
            },
            frozenset({"videoUri"}),
        )
    },
}
_KEYFRAME: Mapping[str, Check] = {
    "uri": a_uri,
    "seconds": number(0, 30),
    "at": number(0, 1),
    "range": lambda value: isinstance(value, dict) and value.keys() == {"start_seconds", "end_seconds"},
}


@dataclass(slots=True, kw_only=True)
class Upload:
    """A temporary file; its content is there once it was posted."""

    filename: str
    fields: Mapping[str, str]
    content: bytes | None = None


class Runway(VideoVendor):
    """`daily` and `concurrent` are limits by model; `failure_code` is what the next jobs that fail say."""

    name = "runway"
    # Moderation is the end of a task, never an answer to a submission; and there are no webhooks.
    cannot = frozenset({Fault.MODERATED_AT_SUBMIT}) | OF_WEBHOOKS

    def __init__(self, *, key: str = "key_" + "5f" * 64, seconds: float = 0.4) -> None:
        super().__init__(key=key, seconds=seconds)
        self.balance = 5_000
        self.daily: dict[str, int | None] = {"gen4_turbo": 200, "gen4.5": 50, "aleph2": None}
        self.concurrent: dict[str, int | None] = {"gen4_turbo": 2, "gen4.5": 1, "aleph2": None}
        self.failure_code: str | None = "INTERNAL.BAD_OUTPUT.CODE01"
        self.says_retry_after = True
        """Whether a 429 names a wait, which is unconfirmed."""
        self.uploads: dict[str, Upload] = {}
        self.deleted: set[str] = set()
        self.issued: set[str] = set()
        """The signatures of links."""

    def environment(self) -> dict[str, str]:
        return {"RUNWAYML_API_KEY": self.key, "RUNWAYML_URL": self.url}

    def new_id(self) -> str:
        return str(uuid4())

    def link(self, job: VideoJob) -> str:
        """Another one at each look."""
        signature = uuid4().hex
        self.issued.add(signature)
        return f"{self.root}/files/{job.id}.mp4?sig={signature}"

    def respond(self, request: Request) -> Response:
        if request.path.startswith("/files/"):
            return self._file(request)
        if request.path.startswith("/store/"):
            return self._store(request)
        if not KEY.fullmatch(self.key) or request.headers.get("authorization") != f"Bearer {self.key}":
            raise Refused(401, "unauthorized", "The API key is not valid.")
        if request.headers.get("x-runway-version") != VERSION:
            raise Refused(400, "version", "The X-Runway-Version header is missing or not valid.")
        routes: Mapping[str, Callable[[Request], Response]]
        if request.path.startswith("/v1/tasks/"):
            routes = {"GET": self._look, "DELETE": self._delete}
        elif request.path in FORMS:
            routes = {"POST": self._submit}
        elif request.path == "/v1/uploads":
            routes = {"POST": self._begin_upload}
        elif request.path == "/v1/organization":
            routes = {"GET": self._organization}
        else:
            raise Refused(404, "not_found", "Not found.")
        if request.method not in routes:
            raise Refused(405, "method", "")
        return routes[request.method](request)

    def refuse(self, request: Request, refused: Refused) -> Response:
        status, message, headers = refused.status, refused.message, dict(JSON)
        issues = refused.more.get("issues")
        match status, refused.code:
            case 402, _:
                status, message = 400, "You do not have enough credits to run this task."
            case 422, _:
                status, issues = 400, [_issue("promptText", "The simulator was told to refuse it.")]
            case 429, _:
                message = "Your plan's limit of generations in 24 hours is reached."
                if self.says_retry_after:
                    headers["Retry-After"] = str(refused.more.get("retry_after") or 1)
            case ((405 | 502 | 503 | 504), _):
                return Response(status=status)
        body: dict[str, object] = {"error": message or HTTPStatus(status).phrase}
        if issues:
            body = {
                "error": "Validation of body failed",
                "issues": issues,
                "docUrl": "https://docs.dev.runwayml.com/api",
            }
        return Response(status=status, headers=headers, body=json.dumps(body).encode())

    # Submissions

    def _submit(self, request: Request) -> Response:
        body = _object(request)
        forms = FORMS[request.path]
        model = body.get("model")
        if not isinstance(model, str) or model not in forms:
            raise _invalid(_issue("model", "Invalid discriminator value", "invalid_union_discriminator"))
        self._check(body, forms[model])
        for field, uri in _uris(body):
            self._check_media(field, uri)
        limit = self.daily.get(model, 50)
        if limit is not None and self._used(model) >= limit:
            raise Refused(429, "daily", "", retry_after=1_800)
        seconds = body.get("duration", SOURCE_SECONDS if model == "aleph2" else 8)
        loud, silent = CREDITS[model]
        rate = loud if body.get("audio", True) else silent
        credits = max(56, rate * seconds) if model == "aleph2" else rate * seconds
        if credits > self.balance:
            raise Refused(402, "no_balance", "")
        return self.accepted(body, None, _receipt, credits=credits, failure_code=self.failure_code)

    def _check(self, body: Mapping[str, Any], form: Form) -> None:
        problems = [_issue(name, "Required", "invalid_type") for name in sorted(form.required - body.keys())]
        for name, value in body.items():
            if name == "model":
                continue
            check = form.fields.get(name)
            if check is None:
                problems.append(_issue(name, "Unrecognized key", "unrecognized_keys"))
            elif not check(value):
                problems.append(_issue(name, "Invalid value", "custom"))
        if "proresProfile" in body and body.get("outputFormat") != "prores":
            problems.append(_issue("proresProfile", "Only for prores", "custom"))
        frames = body.get("keyframes")
        if isinstance(frames, list):
            problems += [
                _issue("keyframes", "Invalid keyframe") for frame in frames if not _is_keyframe(frame)
            ]
            if len({"range" in frame for frame in frames}) > 1:
                problems.append(_issue("keyframes", "All or none have a range", "custom"))
        if problems:
            raise _invalid(*problems)

    def _check_media(self, field: str, uri: str) -> None:
        """Raises Refused for what isn't a file of the right kind, by one of the three ways."""
        kind = "video" if field == "videoUri" else "image"
        if uri.startswith("runway://"):
            upload = self.uploads.get(uri)
            if upload is None or upload.content is None:
                raise _invalid(_issue(field, "The upload is not known, or has expired"))
            suffix = upload.filename.rpartition(".")[2]
            good = SUFFIXES.get(suffix) == kind and _kind_of(upload.content) == kind
        elif uri.startswith("data:"):
            head, _, encoded = uri.partition(",")
            media_type, _, encoding = head.removeprefix("data:").partition(";")
            try:
                content = base64.b64decode(encoded, validate=True)
            except binascii.Error:
                content = b""
            good = (
                encoding == "base64"
                and media_type in TYPES[kind]
                and len(uri) <= LARGEST[kind][1]
                and _kind_of(content) == kind
            )
        else:
            good = self._link_is_good(kind, uri)
        if not good:
            raise _invalid(_issue(field, "The asset can't be used"))

    def _link_is_good(self, kind: str, url: str) -> bool:
        """By HEAD first: 200 without a redirect, with its exact type and its length."""
        try:
            host = urlsplit(url).hostname or ""
        except ValueError:
            return False
        if not url.startswith(("https://", "http://127.0.0.1")) or len(url) > 2_048:
            return False
        if url.startswith("https://") and re.fullmatch(r"[\d.]+|.*:.*", host):
            return False
        try:
            with urllib.request.build_opener(_NoRedirect).open(
                urllib.request.Request(  # noqa: S310
                    url, method="HEAD", headers={"User-Agent": "RunwayML API/1.0"}
                ),
                timeout=5,
            ) as answer:
                described = answer.headers.get("Content-Type", ""), answer.headers.get("Content-Length", "")
        except (HTTPError, OSError):
            return False
        if described[0] not in TYPES[kind] or not described[1].isdecimal():
            return False
        return int(described[1]) <= LARGEST[kind][0] and self.reachable(url, head=True)

    # Tasks

    def _look(self, request: Request) -> Response:
        id = request.path.removeprefix("/v1/tasks/")
        if id in self.deleted:
            raise Refused(404, "not_found", "Task not found.")
        return self.looked_at(id, lambda job: _json(self._task(job)))

    def _delete(self, request: Request) -> Response:
        id = request.path.removeprefix("/v1/tasks/")
        job = self.jobs.get(id)
        if job is None or id in self.deleted:
            raise Refused(404, "not_found", "Task not found.")
        if job.phase not in ENDED:
            job.cancelled = True
        self.deleted.add(id)
        return Response(status=204)

    def _task(self, job: VideoJob) -> dict[str, Any]:
        created = datetime.fromtimestamp(job.created_at, UTC).isoformat(timespec="milliseconds")
        task: dict[str, Any] = {"id": job.id, "createdAt": created.replace("+00:00", "Z")}
        credits = job.more["credits"]
        estimate, charged = {"estimatedCost": {"credits": credits}}, {"cost": {"credits": credits}}
        match job.phase:
            case Phase.QUEUED:
                return task | {"status": "THROTTLED" if self._is_full(job) else "PENDING"} | estimate
            case Phase.RUNNING:
                return task | {"status": "RUNNING", "progress": job.percent / 100} | estimate
            case Phase.UNKNOWN:
                return task | {"status": "DEFRAGMENTING"} | estimate
            case Phase.CANCELLED:
                return task | {"status": "CANCELLED", "cost": {"credits": 0}}
            case Phase.MODERATED:
                code = {"failureCode": "SAFETY.INPUT.TEXT"}
                return task | {"status": "FAILED", "failure": "It did not pass."} | code | charged
            case Phase.FAILED:
                failure = {"status": "FAILED", "failure": "An error occurred.", "cost": {"credits": 0}}
                code = {"failureCode": job.more["failure_code"]} if job.more["failure_code"] else {}
                return task | failure | code
            case Phase.DONE:
                output = [self.link(job)] if job.has_media else []
                return task | {"status": "SUCCEEDED", "output": output} | charged

    def _is_full(self, job: VideoJob) -> bool:
        """Whether as many of its model as the account may have at once were there before it, and still are."""
        limit = self.concurrent.get(job.body["model"], 1)
        before = [
            other
            for other in self.jobs.values()
            if other.body["model"] == job.body["model"]
            and other.began < job.began
            and other.phase not in ENDED
        ]
        return limit is not None and len(before) >= limit

    def _used(self, model: str) -> int:
        since = time.time() - 24 * 3600
        return sum(job.body["model"] == model and job.created_at >= since for job in self.jobs.values())

    def _file(self, request: Request) -> Response:
        if request.path.removeprefix("/files/").removesuffix(".mp4") in self.deleted:
            raise Refused(404, "not_found", "Not found.")
        if not set(request.query.get("sig", [""])) <= self.issued:
            raise Refused(403, "denied", "Access denied.")
        found = self.served_file(request)
        if found is None:
            raise Refused(404, "not_found", "Not found.")
        return found

    # Uploads

    def _begin_upload(self, request: Request) -> Response:
        body = _object(request)
        filename = body.get("filename")
        if (
            body.keys() != {"filename", "type"}
            or body["type"] != "ephemeral"
            or not isinstance(filename, str)
            or not 3 <= len(filename) <= 255
            or filename.rpartition(".")[2].lower() not in SUFFIXES
        ):
            raise _invalid(_issue("filename", "A name of 3 to 255 characters with a media extension"))
        id = uuid4().hex
        uri = f"runway://{id}"
        fields = {"key": f"uploads/{id}/{filename}", "policy": f"policy-{id}", "x-amz-signature": uuid4().hex}
        self.uploads[uri] = Upload(filename=filename, fields=fields)
        return _json({"uploadUrl": f"{self.root}/store/{id}", "fields": fields, "runwayUri": uri})

    def _store(self, request: Request) -> Response:
        """The store behind it: a form of the fields that were given, and the file last."""
        upload = self.uploads.get(f"runway://{request.path.removeprefix('/store/')}")
        if request.method != "POST" or upload is None or "authorization" in request.headers:
            raise Refused(403, "denied", "Access denied.")
        parts = _form(request)
        names = [name for name, _, _ in parts]
        given = {name: content.decode() for name, _, content in parts if name != "file"}
        if given != upload.fields or names[-1:] != ["file"] or parts[-1][1] is None:
            raise Refused(403, "denied", "The fields are not those that were given.")
        content = parts[-1][2]
        if not SMALLEST_UPLOAD <= len(content) <= LARGEST_UPLOAD:
            raise Refused(400, "size", "The file is too small or too large.")
        upload.content = content
        return Response(status=204)

    def _organization(self, request: Request) -> Response:
        names = sorted(CREDITS)
        return _json(
            {
                "creditBalance": self.balance,
                "tier": {
                    "maxMonthlyCreditSpend": 10_000,
                    "models": {
                        name: {
                            "maxConcurrentGenerations": self.concurrent.get(name, 1),
                            "maxDailyGenerations": self.daily.get(name, 50),
                        }
                        for name in names
                    },
                },
                "usage": {"models": {name: {"dailyGenerations": self._used(name)} for name in names}},
            }
        )


def _is_keyframe(frame: Mapping[str, Any]) -> bool:
    known = all(name in _KEYFRAME and _KEYFRAME[name](value) for name, value in frame.items())
    return known and "uri" in frame and ("at" in frame) != ("seconds" in frame)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        """A redirect is not followed: it is an error."""


def _receipt(job: VideoJob) -> Response:
    return _json({"id": job.id, "estimatedCost": {"credits": job.more["credits"]}})


def _json(body: object) -> Response:
    return Response(headers=dict(JSON), body=json.dumps(body).encode())


def _issue(field: str, message: str, code: str = "custom") -> dict[str, Any]:
    return {"code": code, "path": [field], "message": message}


def _invalid(*issues: dict[str, Any]) -> Refused:
    return Refused(400, "invalid", "Validation of body failed", issues=list(issues))


def _object(request: Request) -> dict[str, Any]:
    if request.headers.get("content-type", "").partition(";")[0] != "application/json":
        raise Refused(400, "invalid", "The body is not JSON.")
    try:
        body = json.loads(request.body)
    except ValueError:
        raise Refused(400, "invalid", "The body is not JSON.") from None
    if not isinstance(body, dict):
        raise Refused(400, "invalid", "The body is not an object.")
    return body


def _uris(body: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Every address of an input, with the field that it is in."""
    found: list[tuple[str, str]] = []
    for field in ("promptImage", "videoUri", "keyframes"):
        value = body.get(field, [])
        found += [(field, value)] if isinstance(value, str) else [(field, one["uri"]) for one in value]
    return found


def _kind_of(content: bytes) -> str | None:
    """By its first bytes."""
    if content.startswith((b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")) or (
        content[:4] == b"RIFF" and content[8:12] == b"WEBP"
    ):
        return "image"
    return "video" if content[4:8] == b"ftyp" or content.startswith(b"\x1a\x45\xdf\xa3") else None


def _form(request: Request) -> list[tuple[str, str | None, bytes]]:
    """The parts of a multipart body: name, file name and content."""
    head = f"Content-Type: {request.headers.get('content-type', '')}\r\n\r\n".encode()
    message: Any = message_from_bytes(head + request.body)
    parts = message.get_payload() if message.is_multipart() else []
    return [
        (
            str(part.get_param("name", header="content-disposition")),
            part.get_filename(),
            part.get_payload(decode=True),
        )
        for part in parts
    ]
