"""Kie as a local server: jobs of many models, and Veo by routes of its own. Facts: docs.kie.ai, November 2026.

Every answer is an envelope whose `code` is the result; the HTTP status is 200, or the code where `honest`.
"""

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from .fields import Check, flag, number, text, whole, word_of
from .server import Refused, Request, Response, parsed
from .video import Fault, Phase, VideoJob, VideoVendor

JSON = {"Content-Type": "application/json"}
LIBRARIES = ("python-", "urllib", "curl", "go-http-client")
SORA = frozenset({"sora-2-text-to-video", "sora-2-image-to-video"})
STATES = {
    Phase.QUEUED: "queuing",
    Phase.RUNNING: "generating",
    Phase.DONE: "success",
    Phase.FAILED: "fail",
    Phase.MODERATED: "fail",
    Phase.UNKNOWN: "defragmenting",
}
FLAGS = {
    Phase.QUEUED: 0,
    Phase.RUNNING: 0,
    Phase.DONE: 1,
    Phase.FAILED: 3,
    Phase.MODERATED: 2,
    Phase.UNKNOWN: 7,
}
FAILURES = {
    Phase.FAILED: ("500", "Internal error, please try again later."),
    Phase.MODERATED: ("400", "Your prompt was flagged as violating our content policy."),
}
# What the reasons of the base are at Kie.
WORDS: Mapping[str, tuple[int, str]] = {
    "rate_limited": (429, "Your call frequency is too high."),
    "wrong_key": (401, "You do not have access permissions"),
    "no_balance": (402, "not enough credits"),
    "invalid": (422, "aspect_ratio is not within the range of allowed options"),
    "moderated": (400, "The prompt violates the content policy."),
    "server_error": (500, "Server exception, please try again later"),
    "not_found": (422, "recordInfo is null"),
}
RATIOS = ("1:1", "4:3", "3:4", "16:9", "9:16", "21:9")


def upto(letters: int, least: int = 1) -> Check:
    return lambda value: isinstance(value, str) and least <= len(value) <= letters


def links(most: int, least: int = 0) -> Check:
    return lambda value: (
        isinstance(value, list) and least <= len(value) <= most and all(isinstance(one, str) for one in value)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    fields: Mapping[str, Check]
    required: frozenset[str]
    callback: bool = False
    """Whether its page lists the callback as required."""
    images: frozenset[str] = frozenset({"jpg", "jpeg", "png", "webp"})


def _video_list(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) <= 1
        and all(
            isinstance(one, dict)
            and one.keys() == {"url", "start", "ends"}
            and isinstance(one["url"], str)
            and number(0, 30)(one["start"])
            and number(0, 30)(one["ends"])
            and 0 < one["ends"] - one["start"] <= 10
            for one in value
        )
    )


_SORA_FIELDS: Mapping[str, Check] = {
    "prompt": upto(10_000),
    "aspect_ratio": word_of("portrait", "landscape"),
    "n_frames": word_of("10", "15"),
    "remove_watermark": flag,
    "upload_method": word_of("s3", "oss"),
    "character_id_list": links(10),
}
MODELS: Mapping[str, Model] = {
    "sora-2-text-to-video": Model(fields=_SORA_FIELDS, required=frozenset({"prompt"})),
    "sora-2-image-to-video": Model(
        fields={**_SORA_FIELDS, "image_urls": links(1, 1)}, required=frozenset({"prompt", "image_urls"})
    ),
    "bytedance/seedance-2": Model(
        fields={
            "prompt": upto(20_000, 3),
            "first_frame_url": text,
            "last_frame_url": text,
            "reference_image_urls": links(9),
            "reference_video_urls": links(3),
            "reference_audio_urls": links(3),
            "generate_audio": flag,
            "return_last_frame": flag,
            "resolution": word_of("480p", "720p", "1080p", "4k"),
            "aspect_ratio": word_of(*RATIOS, "adaptive"),
            "duration": whole(4, 15),
            "web_search": flag,
            "nsfw_checker": flag,
        },
        required=frozenset({"prompt"}),
    ),
    "bytedance/seedance-1.5-pro": Model(
        fields={
            "prompt": upto(20_000, 3),
            "input_urls": links(2),
            "aspect_ratio": word_of(*RATIOS),
            "resolution": word_of("480p", "720p", "1080p"),
            "duration": number(4, 12),
            "fixed_lens": flag,
            "generate_audio": flag,
            "nsfw_checker": flag,
        },
        required=frozenset({"prompt", "aspect_ratio", "duration"}),
    ),
    "kling-2.6/text-to-video": Model(
        fields={
            "prompt": upto(1_000),
            "sound": flag,
            "aspect_ratio": word_of("1:1", "16:9", "9:16"),
            "duration": word_of("5", "10"),
        },
        required=frozenset({"prompt", "sound", "aspect_ratio", "duration"}),
    ),
    "kling-2.6/image-to-video": Model(
        fields={
            "prompt": upto(1_000),
            "image_urls": links(1, 1),
            "sound": flag,
            "duration": word_of("5", "10"),
        },
        required=frozenset({"prompt", "image_urls", "sound", "duration"}),
    ),
    "wan/2-7-text-to-video": Model(
        fields={
            "prompt": upto(5_000),
            "negative_prompt": upto(500, 0),
            "audio_url": text,
            "resolution": word_of("720p", "1080p"),
            "ratio": word_of("16:9", "9:16", "1:1", "4:3", "3:4"),
            "duration": whole(2, 15),
            "prompt_extend": flag,
            "watermark": flag,
            "seed": whole(0, 2_147_483_647),
            "nsfw_checker": flag,
        },
        required=frozenset({"prompt"}),
    ),
    "grok-imagine/text-to-video": Model(
        fields={
            "prompt": upto(5_000),
            "aspect_ratio": word_of("2:3", "3:2", "1:1", "16:9", "9:16"),
            "mode": word_of("fun", "normal", "spicy"),
            "duration": number(6, 30),
            "resolution": word_of("480p", "720p"),
        },
        required=frozenset({"prompt"}),
        callback=True,
    ),
    "grok-imagine-video-1-5-preview": Model(
        fields={
            "prompt": upto(4_096),
            "image_urls": links(1),
            "aspect_ratio": word_of("1:1", "16:9", "9:16", "3:2", "2:3", "auto"),
            "resolution": word_of("480p", "720p"),
            "duration": number(1, 15),
        },
        required=frozenset({"prompt"}),
    ),
    "gemini-omni-video": Model(
        fields={
            "prompt": upto(20_000),
            "duration": word_of("4", "6", "8", "10"),
            "image_urls": links(7),
            "video_list": _video_list,
            "audio_ids": links(9),
            "character_ids": links(7),
            "aspect_ratio": word_of("16:9", "9:16"),
            "resolution": word_of("720p", "1080p", "4k"),
            "seed": whole(0, 2_147_483_647),
        },
        required=frozenset({"prompt", "duration"}),
    ),
}
VEO_FIELDS: Mapping[str, Check] = {
    "prompt": upto(20_000),
    "imageUrls": links(3),
    "model": word_of("veo3", "veo3_fast", "veo3_lite"),
    "generationType": word_of("TEXT_2_VIDEO", "FIRST_AND_LAST_FRAMES_2_VIDEO", "REFERENCE_2_VIDEO"),
    "aspectRatio": word_of("16:9", "9:16", "Auto"),
    "resolution": word_of("720p", "1080p", "4k"),
    "duration": lambda value: type(value) is int and value in (4, 6, 8),
    "watermark": text,
    "enableTranslation": flag,
    "callBackUrl": text,
}
INPUTS = (
    "image_urls",
    "input_urls",
    "first_frame_url",
    "last_frame_url",
    "reference_image_urls",
    "reference_video_urls",
    "video_list",
)


class Kie(VideoVendor):
    """`secret` signs webhooks, as the console's key does; empty: they go out unsigned."""

    name = "kie"
    # There is no cancel, and the vendor stops nothing by itself.
    cannot: ClassVar[frozenset[Fault]] = frozenset({Fault.CANCELLED})

    def __init__(
        self,
        *,
        key: str = "simulated-key-0123456789",
        seconds: float = 0.4,
        secret: str = "kie-webhook-key-simulated",
        honest: bool = False,
        paused: frozenset[str] = SORA,
        per_ten_seconds: int | None = None,
        credits: float = 1250,
    ) -> None:
        """`per_ten_seconds`: how many submissions are taken, 20 at the vendor; None: any number."""
        super().__init__(key=key, seconds=seconds)
        self.secret = secret
        self.honest = honest
        self.paused = paused
        self.per_ten_seconds = per_ten_seconds
        self.credits = credits
        self._taken: list[float] = []
        self._taking = threading.Lock()

    def environment(self) -> dict[str, str]:
        return {"KIE_API_KEY": self.key, "KIE_URL": self.root, "KIE_WEBHOOK_SECRET": self.secret}

    def new_id(self) -> str:
        return f"task_{self.number():06d}_1765000000000"

    def respond(self, request: Request) -> Response:
        if (file := self.served_file(request)) is not None:
            return file
        agent = request.headers.get("user-agent", "").casefold()
        if not agent or agent.startswith(LIBRARIES):
            return Response(status=403, headers={"Content-Type": "text/plain"}, body=b"error code: 1010")
        if request.headers.get("authorization") != f"Bearer {self.key}":
            raise Refused(401, "wrong_key", "")
        match (request.method, request.path):
            case ("POST", "/api/v1/jobs/createTask"):
                return self._create(request)
            case ("POST", "/api/v1/veo/generate"):
                return self._create_veo(request)
            case ("GET", "/api/v1/jobs/recordInfo"):
                return self._look(request, self._record, veo=False)
            case ("GET", "/api/v1/veo/record-info"):
                return self._look(request, self._veo_record, veo=True)
            case ("GET", "/api/v1/chat/credit"):
                return _envelope(200, "success", self.credits)
        raise Refused(404, "", "The requested resource does not exist")

    def refuse(self, request: Request, refused: Refused) -> Response:
        if request.path.startswith("/files/"):
            return Response(status=refused.status, body=b"<Error>AccessDenied</Error>")
        code, message = WORDS.get(refused.code, (refused.status, refused.message))
        response = _envelope(code, message, None)
        if self.honest:
            response.status = code
        if (wait := refused.more.get("retry_after")) is not None:
            # No page of Kie's has it: it is HTTP's own.
            response.headers["Retry-After"] = str(wait)
        return response

    def webhook(self, job: VideoJob) -> tuple[dict[str, str], bytes]:
        veo = job.more["veo"]
        failed = job.phase in FAILURES
        code = 501 if failed else 200
        if veo and job.phase is Phase.MODERATED:
            code = 400
        if veo and job.phase is Phase.UNKNOWN:
            code = 555
        data = self._veo_callback(job) if veo else self._record(job)
        message = FAILURES[job.phase][1] if failed else "task completed"
        body = json.dumps({"code": code, "msg": message, "data": data}).encode()
        return self._signed(job, self.secret), body

    def forged(self, job: VideoJob) -> tuple[dict[str, str], bytes]:
        data = {"taskId": job.id, "state": "fail", "failCode": "500", "failMsg": "no", "resultJson": None}
        body = json.dumps({"code": 501, "msg": "failed", "data": data}).encode()
        return self._signed(job, "a stranger's key"), body

    def _signed(self, job: VideoJob, secret: str) -> dict[str, str]:
        if not self.secret:
            return {}
        at = str(int(time.time()))
        digest = hmac.new(secret.encode(), f"{job.id}.{at}".encode(), hashlib.sha256).digest()
        return {"X-Webhook-Timestamp": at, "X-Webhook-Signature": base64.b64encode(digest).decode()}

    def _create(self, request: Request) -> Response:
        self._brake()
        body = parsed(request)
        _only(body, {"model", "input", "callBackUrl", "progressCallBackUrl"})
        if not isinstance(body.get("model"), str):
            raise Refused(500, "", "model is required")
        model = MODELS.get(body["model"])
        if model is None:
            raise Refused(422, "", "The model name you specified is not supported")
        if body["model"] in self.paused:
            raise Refused(500, "", "This interface is temporarily paused, please use another model")
        callback = _callback(body, required=model.callback)
        asked = body.get("input")
        if not isinstance(asked, dict):
            raise Refused(500, "", "input is required")
        _checked(asked, model.fields, model.required)
        if body["model"] == "bytedance/seedance-2":
            frames = {"first_frame_url", "last_frame_url"} & asked.keys()
            references = {name for name in asked if name.startswith("reference_")}
            if (frames and references) or frames == {"last_frame_url"}:
                raise Refused(422, "", "first frame, last frame and references are mutually exclusive")
        if body["model"] == "gemini-omni-video":
            count = len(asked.get("image_urls", [])) + 2 * len(asked.get("video_list", []))
            if count + len(asked.get("character_ids", [])) > 7:
                raise Refused(422, "", "too many references")
        for name in INPUTS:
            given = asked.get(name, [])
            for one in given if isinstance(given, list) else [given]:
                self._readable(one["url"] if isinstance(one, dict) else one, 422)
        return self.accepted(body, callback, _receipt, veo=False)

    def _create_veo(self, request: Request) -> Response:
        self._brake()
        body = parsed(request)
        _checked(body, VEO_FIELDS, frozenset({"prompt"}))
        images = body.get("imageUrls", [])
        kind = body.get("generationType", "TEXT_2_VIDEO")
        fits = {
            "TEXT_2_VIDEO": not images,
            "FIRST_AND_LAST_FRAMES_2_VIDEO": len(images) in (1, 2),
            "REFERENCE_2_VIDEO": bool(images)
            and body.get("model") != "veo3"
            and body.get("duration", 8) == 8,
        }
        if not fits[kind]:
            raise Refused(422, "", "imageUrls do not fit generationType")
        for one in images:
            self._readable(one, 451)
        return self.accepted(body, _callback(body), _receipt, veo=True)

    def _look(self, request: Request, record: Callable[[VideoJob], dict[str, Any]], *, veo: bool) -> Response:
        task_id = (request.query.get("taskId") or [""])[0]
        job = self.jobs.get(task_id)
        if request.query.keys() != {"taskId"} or (job is not None and job.more["veo"] != veo):
            raise Refused(422, "not_found", "")

        def answer(job: VideoJob) -> Response:
            data = record(job)
            if veo and job.phase in FAILURES:
                return _envelope(400 if job.phase is Phase.MODERATED else 501, FAILURES[job.phase][1], data)
            return _envelope(200, "success", data)

        return self.looked_at(task_id, answer)

    def _record(self, job: VideoJob) -> dict[str, Any]:
        phase = job.phase
        code, message = FAILURES.get(phase, ("", ""))
        now = int(time.time() * 1000)
        ended = phase in (Phase.DONE, *FAILURES)
        result = json.dumps({"resultUrls": [self.link(job)] if job.has_media else []})
        record: dict[str, Any] = {
            "taskId": job.id,
            "model": job.body["model"],
            "state": STATES[phase],
            "param": json.dumps(job.body),
            "resultJson": result if phase is Phase.DONE else None,
            "failCode": code,
            "failMsg": message,
            "costTime": int(job.seconds * 1000) if ended else 0,
            "createTime": int(job.created_at * 1000),
            "updateTime": now,
            "completeTime": now if ended else None,
        }
        if job.body["model"] in SORA:
            record["progress"] = job.percent
        if phase is Phase.DONE:
            record["creditsConsumed"] = 17.5
        return record

    def _veo_record(self, job: VideoJob) -> dict[str, Any]:
        return {
            "taskId": job.id,
            "successFlag": FLAGS[job.phase],
            "response": {"resultUrls": [self.link(job)] if job.has_media else []}
            if job.phase is Phase.DONE
            else None,
        }

    def _veo_callback(self, job: VideoJob) -> dict[str, Any]:
        info = {"resultUrls": [self.link(job)] if job.has_media else []}
        return {"taskId": job.id, "info": info if job.phase is Phase.DONE else None}

    def _readable(self, url: str, code: int) -> None:
        if not self.reachable(url):
            raise Refused(code, "", "Failed to fetch the image. Kindly verify access limits.")

    def _brake(self) -> None:
        if self.per_ten_seconds is None:
            return
        with self._taking:
            now = time.monotonic()
            self._taken = [moment for moment in self._taken if now - moment < 10]
            if len(self._taken) >= self.per_ten_seconds:
                raise Refused(429, "rate_limited", "")
            self._taken.append(now)


def _receipt(job: VideoJob) -> Response:
    return _envelope(200, "success", {"taskId": job.id})


def _callback(body: Mapping[str, Any], *, required: bool = False) -> str | None:
    callback = body.get("callBackUrl")
    if callback is None:
        if required:
            raise Refused(500, "", "callBackUrl is required")
        return None
    if not isinstance(callback, str) or not callback.startswith(("https://", "http://127.0.0.1")):
        raise Refused(422, "", "callBackUrl is not a valid URL")
    return callback


def _only(body: Mapping[str, Any], known: set[str]) -> None:
    for name in body:
        if name not in known:
            raise Refused(422, "", f"{name} is not a known parameter")


def _checked(asked: Mapping[str, Any], fields: Mapping[str, Check], required: frozenset[str]) -> None:
    _only(asked, set(fields))
    for name in sorted(required - asked.keys()):
        raise Refused(500, "", f"This field is required: {name}")
    for name, value in asked.items():
        if not fields[name](value):
            raise Refused(422, "", f"{name} is not within the range of allowed options")


def _envelope(code: int, message: str, data: object) -> Response:
    return Response(
        headers=dict(JSON), body=json.dumps({"code": code, "msg": message, "data": data}).encode()
    )
