"""OpenAI's Videos API as a local server, as it was before it closed, or as a gateway of the same shape has it.

Facts: OpenAI's API description 2.3.0 and its client openai-python 3.52, which sends forms where we send JSON.
"""

import base64
import email
import hmac
import json
import re
import struct
import time
import urllib.request
from collections.abc import Mapping
from typing import Any, ClassVar

from .server import Refused, Request, Response
from .video import ENDED, Fault, Phase, VideoJob, VideoVendor

SIZES = ("720x1280", "1280x720")
PRO_SIZES = (*SIZES, "1024x1792", "1792x1024", "1080x1920", "1920x1080")
MODELS = {
    "sora-2": SIZES,
    "sora-2-2025-10-06": SIZES,
    "sora-2-2025-12-08": SIZES,
    "sora-2-pro": PRO_SIZES,
    "sora-2-pro-2025-10-06": PRO_SIZES,
}
SECONDS = ("4", "8", "12")
STATUS = {
    Phase.QUEUED: "queued",
    Phase.RUNNING: "in_progress",
    Phase.DONE: "completed",
    Phase.FAILED: "failed",
    Phase.MODERATED: "failed",
    Phase.CANCELLED: "cancelled",
    Phase.UNKNOWN: "remastering",
}
# Of the faults that every vendor has: status, type and code of this one.
ERRORS = {
    "rate_limited": (429, "requests", "rate_limit_exceeded"),
    "wrong_key": (401, "invalid_request_error", "invalid_api_key"),
    "no_balance": (429, "insufficient_quota", "insufficient_quota"),
    "invalid": (400, "invalid_request_error", "invalid_value"),
    "moderated": (400, "invalid_request_error", "moderation_blocked"),
    "server_error": (500, "server_error", "server_error"),
    "not_found": (404, "invalid_request_error", "not_found"),
}
MAX_IMAGE = 20 * 2**20


class OpenAIVideos(VideoVendor):
    """`endpoint` is where the project's webhooks go; `gateway` has the deviations of those."""

    name: ClassVar[str] = "openai"
    # Nobody but the owner ends a video, and a completed one always has content, until that expires: NO_MEDIA.
    cannot: ClassVar[frozenset[Fault]] = frozenset({Fault.CANCELLED})

    def __init__(
        self, *, key: str = "sk-simulated0123456789", seconds: float = 0.4, gateway: bool = False
    ) -> None:
        super().__init__(key=key, seconds=seconds)
        self.models: dict[str, tuple[str, ...]] = dict(MODELS)
        self.secret = "whsec_" + base64.b64encode(b"openai's secret 32 bytes or so..").decode()
        self.endpoint: str | None = None
        self.gateway = gateway
        self.shut_down = False
        self.failure = "server_error"
        """The code of a failed video."""
        self.redirect_to: str | None = None
        """The origin that content is served from, if another."""

    @property
    def url(self) -> str:
        return f"{self.root}/v1"

    def environment(self) -> dict[str, str]:
        return {
            "OPENAI_VIDEOS_API_KEY": self.key,
            "OPENAI_VIDEOS_URL": self.url,
            "OPENAI_VIDEOS_WEBHOOK_SECRET": self.secret,
        }

    def new_id(self) -> str:
        return f"{self.number():08x}" if self.gateway else f"video_68d7{self.number():08x}"

    def respond(self, request: Request) -> Response:
        if (file := self.served_file(request)) is not None:
            return file
        if request.headers.get("authorization") != f"Bearer {self.key}":
            raise Refused(401, "wrong_key", "Incorrect API key provided.")
        match [request.method, *request.path.removeprefix("/v1/").split("/")]:
            case ["POST", "videos"]:
                return self._create(request)
            case ["POST", "videos", "extensions"]:
                return self._change(request, {"prompt", "seconds", "video"})
            case ["POST", "videos", "edits"]:
                return self._change(request, {"prompt", "video"})
            case ["POST", "videos", video_id, "remix"]:
                return self._change(request, {"prompt"}, of=video_id)
            case ["GET", "videos"] if not self.gateway:
                return self._list(request)
            case ["GET", "videos", video_id]:
                return self.looked_at(video_id, lambda job: _json(self.video(job)))
            case ["GET", "videos", video_id, "content"] if not self.gateway:
                return self._content(request, video_id)
            case ["GET", "media", video_id] if self.gateway and video_id in self.jobs:
                return self.downloaded(self.jobs[video_id])
            case ["DELETE", "videos", video_id]:
                return self._delete(video_id)
        raise Refused(404, "not_found", f"Invalid URL ({request.method} {request.path})")

    def refuse(self, request: Request, refused: Refused) -> Response:
        status, kind, code = ERRORS.get(refused.code, (refused.status, "invalid_request_error", refused.code))
        error = {"message": refused.message, "type": kind, "param": refused.more.get("param"), "code": code}
        headers = {"Retry-After": str(refused.more["retry_after"])} if refused.code == "rate_limited" else {}
        return _json({"error": error}, status=status, **headers)

    def webhook(self, job: VideoJob) -> tuple[dict[str, str], bytes]:
        return self.signed(self._event(job, STATUS[job.phase]))

    def forged(self, job: VideoJob) -> tuple[dict[str, str], bytes]:
        stranger = "whsec_" + base64.b64encode(b"a stranger's secret").decode()
        return self.signed(self._event(job, "failed"), secret=stranger)

    def signed(self, body: bytes, *, secret: str | None = None) -> tuple[dict[str, str], bytes]:
        key = base64.b64decode((secret or self.secret).removeprefix("whsec_"))
        message, at = f"wh_{self.number()}", str(int(time.time()))
        digest = hmac.new(key, f"{message}.{at}.".encode() + body, "sha256").digest()
        signature = f"v1,{base64.b64encode(digest).decode()}"
        return {"webhook-id": message, "webhook-timestamp": at, "webhook-signature": signature}, body

    def video(self, job: VideoJob, *, fresh: bool = False) -> dict[str, Any]:
        """The object as it stands, or as it stood when it was made."""
        phase = Phase.QUEUED if fresh else job.phase
        status = STATUS[phase]
        done = int(job.created_at + job.seconds) if phase is Phase.DONE else None
        error = None
        if status == "failed":
            code = "moderation_blocked" if phase is Phase.MODERATED else self.failure
            error = {"code": code, "message": "The simulator was told to fail."}
        made: dict[str, Any] = {
            "id": job.id,
            "object": "video",
            "model": job.more["model"],
            "status": status,
            "progress": 0 if fresh else job.percent if phase in (Phase.RUNNING, Phase.DONE) else 0,
            "created_at": int(job.created_at),
            "completed_at": done,
            "expires_at": None if done is None else done + (-60 if job.fault is Fault.NO_MEDIA else 3600),
            "prompt": job.body["prompt"],
            "seconds": job.more["seconds"],
            "size": job.more["size"],
            "remixed_from_video_id": job.more["of"],
            "error": error,
        }
        if self.gateway:
            made |= {"seconds": int(made["seconds"]), "video_url": self._link(job) if job.has_media else None}
            if status == "queued":
                made["status"] = "pending"
        return made

    def _link(self, job: VideoJob) -> str:
        """Where a gateway has the video: elsewhere for everybody, here for who has the key."""
        if self.redirect_to:
            return f"{self.redirect_to}/files/{job.id}.mp4"
        return f"{self.url}/media/{job.id}"

    def _event(self, job: VideoJob, word: str) -> bytes:
        event = {
            "id": f"evt_{self.number()}",
            "object": "event",
            "created_at": int(time.time()),
            "type": f"video.{word}",
            "data": {"id": job.id},
        }
        return json.dumps(event).encode()

    def _create(self, request: Request) -> Response:
        body = fields_of(request)
        _known(body, {"prompt", "model", "seconds", "size", "input_reference"})
        self._prompt(body)
        model = body.get("model", "sora-2")
        if self.shut_down or model not in self.models:
            raise Refused(404, "model_not_found", "The model does not exist.", param="model")
        seconds, size = body.get("seconds", "4"), body.get("size", "720x1280")
        if seconds not in SECONDS:
            raise Refused(400, "invalid_value", "Invalid value for seconds", param="seconds")
        if size not in self.models[model]:
            raise Refused(400, "invalid_value", "Invalid value for size", param="size")
        if "input_reference" in body:
            self._picture(body["input_reference"], size)
        kept = {name: "a file" if isinstance(value, bytes) else value for name, value in body.items()}
        return self._accept(kept, model=model, seconds=seconds, size=size, of=None)

    def _change(self, request: Request, known: set[str], *, of: str | None = None) -> Response:
        body = fields_of(request)
        _known(body, known)
        self._prompt(body)
        video = body.get("video")
        source = of if of is not None else video.get("id") if isinstance(video, dict) else None
        job = self.jobs.get(str(source))
        if job is None or job.phase is not Phase.DONE:
            raise Refused(404, "not_found", "There is no such video.", param="video")
        total = int(job.more["seconds"])
        if "seconds" in known:
            if body.get("seconds") not in (*SECONDS, "16", "20"):
                raise Refused(400, "invalid_value", "Invalid value for seconds", param="seconds")
            total += int(body["seconds"])
            if total > 120 or job.more.get("extended", 0) >= 6:
                raise Refused(400, "invalid_value", "The video is too long", param="video")
        extended = job.more.get("extended", 0) + ("seconds" in known)
        more = {"model": job.more["model"], "size": job.more["size"], "seconds": str(total), "of": source}
        return self._accept(body, **more, extended=extended)

    def _accept(self, body: Mapping[str, Any], **more: Any) -> Response:
        return self.accepted(body, self.endpoint, lambda job: _json(self.video(job, fresh=True)), **more)

    def _prompt(self, body: Mapping[str, Any]) -> None:
        prompt = body.get("prompt")
        if not isinstance(prompt, str) or not 1 <= len(prompt) <= 32_000:
            raise Refused(400, "invalid_value", "Invalid value for prompt", param="prompt")

    def _picture(self, reference: Any, size: str) -> None:
        """Raises Refused for one that can't be had, is no picture, or has another size than the video."""
        if isinstance(reference, bytes):
            content = reference
        elif isinstance(reference, dict) and len(reference) == 1 and "image_url" in reference:
            content = self._at(str(reference["image_url"]))
        else:
            raise Refused(
                400, "invalid_value", "Exactly one of image_url and file_id", param="input_reference"
            )
        measured = pixels(content)
        if measured is None:
            raise Refused(400, "invalid_image", "Unsupported image", param="input_reference")
        if "{}x{}".format(*measured) != size:
            message = "Inpaint image must match the requested width and height"
            raise Refused(400, "invalid_value", message, param="input_reference")

    def _at(self, url: str) -> bytes:
        if len(url) > MAX_IMAGE:
            raise Refused(400, "invalid_value", "The image is too large", param="input_reference.image_url")
        found = re.fullmatch(r"data:image/(?:jpeg|png|webp);base64,([A-Za-z0-9+/]+=*)", url)
        if found:
            return base64.b64decode(found[1])
        if not self.reachable(url):
            raise Refused(400, "invalid_value", "The image can't be had", param="input_reference.image_url")
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310
            content: bytes = answer.read()
        return content

    def _list(self, request: Request) -> Response:
        _known(request.query, {"limit", "after", "order"})
        limit = int(request.query.get("limit", ["20"])[0])
        order = request.query.get("order", ["desc"])[0]
        if not 0 <= limit <= 100 or order not in ("asc", "desc"):
            raise Refused(400, "invalid_value", "Invalid value", param="limit")
        jobs = list(self.jobs.values())
        if order == "desc":
            jobs.reverse()
        if "after" in request.query:
            ids = [job.id for job in jobs]
            jobs = jobs[ids.index(request.query["after"][0]) + 1 :]
        page = jobs[:limit]
        return _json(
            {
                "object": "list",
                "data": [self.video(job) for job in page],
                "first_id": page[0].id if page else None,
                "last_id": page[-1].id if page else None,
                "has_more": len(jobs) > limit,
            }
        )

    def _content(self, request: Request, video_id: str) -> Response:
        job = self.jobs.get(video_id)
        variant = request.query.get("variant", ["video"])[0]
        if variant not in ("video", "thumbnail", "spritesheet"):
            raise Refused(400, "invalid_value", "Invalid value for variant", param="variant")
        if job is None or not job.has_media:
            raise Refused(404, "not_found", "There is no content.")
        if self.redirect_to:
            return Response(status=302, headers={"Location": f"{self.redirect_to}/files/{job.id}.mp4"})
        return self.downloaded(job)

    def _delete(self, video_id: str) -> Response:
        job = self.jobs.get(video_id)
        if job is None:
            raise Refused(404, "not_found", "There is no such video.")
        if job.phase not in ENDED:
            raise Refused(400, "invalid_value", "The video is still being made.")
        del self.jobs[video_id]
        return _json({"id": video_id, "object": "video.deleted", "deleted": True})


def pixels(content: bytes) -> tuple[int, int] | None:
    """Width and height of a PNG, JPEG or WebP; None for anything else."""
    if content.startswith(b"\x89PNG\r\n\x1a\n") and len(content) >= 24:
        return struct.unpack(">II", content[16:24])
    if content.startswith(b"RIFF") and content[8:15] == b"WEBPVP8" and len(content) >= 30:
        match content[15:16]:
            case b" ":
                width, height = struct.unpack("<HH", content[26:30])
                return width & 0x3FFF, height & 0x3FFF
            case b"L":
                bits = int.from_bytes(content[21:25], "little")
                return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
            case b"X":
                return (
                    int.from_bytes(content[24:27], "little") + 1,
                    int.from_bytes(content[27:30], "little") + 1,
                )
    if content.startswith(b"\xff\xd8"):
        position = 2
        while position + 9 < len(content):
            marker, length = (
                content[position + 1],
                struct.unpack(">H", content[position + 2 : position + 4])[0],
            )
            if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
                height, width = struct.unpack(">HH", content[position + 5 : position + 9])
                return width, height
            position += 2 + length
    return None


def fields_of(request: Request) -> dict[str, Any]:
    """What was sent, as JSON or as a form, in which an object is written name[key]. Raises Refused."""
    kind = request.headers.get("content-type", "")
    if kind.startswith("multipart/form-data"):
        message = email.message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + request.body)
        fields: dict[str, Any] = {}
        for part in message.get_payload():
            assert not isinstance(part, str)
            name = str(part.get_param("name", header="content-disposition"))
            content = part.get_payload(decode=True)
            assert isinstance(content, bytes)
            value = content if part.get_filename() else content.decode()
            if found := re.fullmatch(r"(\w+)\[(\w+)\]", name):
                fields.setdefault(found[1], {})[found[2]] = value
            else:
                fields[name] = value
        return fields
    if kind.partition(";")[0] != "application/json":
        raise Refused(400, "invalid_content_type", "Unsupported content type")
    try:
        body = json.loads(request.body)
    except ValueError:
        raise Refused(400, "invalid_json", "We could not parse the JSON body of your request.") from None
    if not isinstance(body, dict):
        raise Refused(400, "invalid_json", "We could not parse the JSON body of your request.")
    return body


def _known(given: Mapping[str, Any], known: set[str]) -> None:
    for name in given.keys() - known:
        raise Refused(400, "unknown_parameter", f"Unknown parameter: '{name}'.", param=name)


def _json(body: object, *, status: int = 200, **headers: str) -> Response:
    sent = {"Content-Type": "application/json", "x-request-id": "req_simulated", "openai-poll-after-ms": "20"}
    return Response(status=status, headers=sent | headers, body=json.dumps(body).encode())
