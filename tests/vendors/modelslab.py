"""ModelsLab as a local server: v7 Video Fusion, and v6 with its own Wan 2.2. Facts: its documents and SDK of 2026.

The key is in the body of every call. Errors have their HTTP status, or all come with 200 where `errors_in_200`.
"""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from .fields import Check, flag, number, text, whole, word_of
from .server import Refused, Request, Response, parsed
from .video import ENDED, Fault, Phase, VideoJob, VideoVendor

JSON = {"Content-Type": "application/json"}
# What the reasons of the base are at ModelsLab.
WORDS: Mapping[str, tuple[int, str]] = {
    "rate_limited": (429, "Queue limit of 5 reached"),
    "wrong_key": (401, "Invalid API key"),
    "no_balance": (402, "You do not have enough credits, please top up"),
    "invalid": (400, "The duration field is required"),
    "moderated": (400, "NSFW words detected in the prompt"),
    "server_error": (500, "Server error"),
    "not_found": (404, "Request not found"),
}
TEXT, IMAGE, VIDEO = "text-to-video", "image-to-video", "video-to-video"


def some_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def link_or_links(value: Any) -> bool:
    return isinstance(value, str) or (
        isinstance(value, list) and 1 <= len(value) <= 2 and all(isinstance(one, str) for one in value)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One call of one model: what it takes besides a prompt."""

    fields: Mapping[str, Check]
    required: frozenset[str] = frozenset()
    prompt: int = 100_000


_GOOGLE: Mapping[str, Check] = {
    "negative_prompt": text,
    "aspect_ratio": word_of("16:9", "9:16"),
    "resolution": word_of("720p", "1080p"),
    "duration": word_of("4", "6", "8"),
    "generate_audio": flag,
    "enhance_prompt": flag,
}
_SEEDANCE: Mapping[str, Check] = {
    "aspect_ratio": word_of("16:9", "4:3", "1:1", "9:21"),
    "resolution": word_of("480p", "720p"),
    "camera_fixed": flag,
}
_LTX: Mapping[str, Check] = {"resolution": word_of("1080p"), "duration": word_of("6", "8", "10")}
_KLING: Mapping[str, Check] = {"duration": word_of("5", "10")}
_IMAGE: Mapping[str, Check] = {"init_image": link_or_links}
_AN_IMAGE = frozenset({"init_image"})
V7: Mapping[tuple[str, str], Model] = {
    (TEXT, "veo-3.1"): Model(fields=_GOOGLE),
    (TEXT, "veo3"): Model(fields=_GOOGLE),
    (TEXT, "veo2"): Model(fields=_GOOGLE),
    (TEXT, "sora-2"): Model(
        fields={"aspect_ratio": word_of("16:9", "9:16"), "duration": word_of("4", "8", "12")}
    ),
    (TEXT, "seedance-t2v"): Model(fields=_SEEDANCE),
    (IMAGE, "seedance-i2v"): Model(fields={**_SEEDANCE, **_IMAGE}, required=_AN_IMAGE),
    (TEXT, "seedance-1-5-pro"): Model(fields={}),
    (IMAGE, "seedance-1-5-pro"): Model(fields=_IMAGE, required=_AN_IMAGE),
    (TEXT, "wan2.6-t2v"): Model(fields={"init_audio": text}),
    (IMAGE, "wan2.6-i2v"): Model(fields={"init_audio": text, **_IMAGE}, required=_AN_IMAGE),
    (TEXT, "Hailuo-2.3-t2v"): Model(fields={}),
    (IMAGE, "Hailuo-2.3-i2v"): Model(fields={"duration": word_of("6", "10"), **_IMAGE}, required=_AN_IMAGE),
    (TEXT, "kling-v2-5-turbo-t2v"): Model(
        fields={**_KLING, "aspect_ratio": word_of("16:9", "9:16", "1:1")},
        required=frozenset({"duration", "aspect_ratio"}),
    ),
    (IMAGE, "Kling-V2-5-Turbo-i2v"): Model(fields={**_KLING, **_IMAGE}, required=_AN_IMAGE | {"duration"}),
    (VIDEO, "gen4_aleph"): Model(
        fields={
            "init_video": link_or_links,
            "aspect_ratio": word_of(
                "1280:720", "720:1280", "1104:832", "960:960", "832:1104", "1584:672", "848:480"
            ),
        },
        required=frozenset({"init_video", "aspect_ratio"}),
        prompt=1_000,
    ),
    (TEXT, "ltx-2-3-pro-t2v"): Model(fields=_LTX),
    (IMAGE, "ltx-2-3-pro-i2v"): Model(fields={**_LTX, **_IMAGE}, required=_AN_IMAGE),
}
DEAD = frozenset({"veo2", "veo3", "sora-2"})
_ULTRA: Mapping[str, Check] = {
    "negative_prompt": text,
    "seed": whole(0, 4_294_967_295),
    "resolution": whole(240, 480),
    "num_frames": whole(81, 120),
    "num_inference_steps": whole(1, 30),
    "guidance_scale": number(0, 8),
    "fps": whole(1, 16),
    "portrait": flag,
    "sample_shift": number(0, 10),
    # Documented for the older calls only, whose default is a GIF.
    "output_type": word_of("mp4", "gif"),
    "temp": flag,
}
V6: Mapping[str, Model] = {
    "text2video_ultra": Model(fields=_ULTRA),
    "img2video_ultra": Model(fields={**_ULTRA, "init_image": text, "base64": flag}, required=_AN_IMAGE),
}
COMMON: Mapping[str, Check] = {
    "key": text,
    "model_id": text,
    "prompt": some_text,
    "webhook": text,
    "track_id": lambda value: isinstance(value, str) or type(value) is int,
}


class ModelsLab(VideoVendor):
    name = "modelslab"
    # There is no cancel, and the vendor stops nothing by itself.
    cannot: ClassVar[frozenset[Fault]] = frozenset({Fault.CANCELLED})

    def __init__(
        self,
        *,
        key: str = "simulated-key-0123456789",
        seconds: float = 0.4,
        errors_in_200: bool = False,
        bare_inputs: bool = False,
        dead: frozenset[str] = DEAD,
        queue: int | None = None,
    ) -> None:
        """`bare_inputs`: inputs must be one link, as the SDK sends them, and no list; `queue`: how many renders may
        wait or run, 5 at the vendor without a plan; None: any number.
        """
        super().__init__(key=key, seconds=seconds)
        self.errors_in_200 = errors_in_200
        self.bare_inputs = bare_inputs
        self.dead = dead
        self.queue = queue

    @property
    def url(self) -> str:
        return f"{self.root}/api"

    def environment(self) -> dict[str, str]:
        return {"MODELSLAB_API_KEY": self.key, "MODELSLAB_URL": self.url}

    def new_id(self) -> str:
        return str(90_211_000 + self.number())

    def respond(self, request: Request) -> Response:
        if (file := self.served_file(request)) is not None:
            return file
        if request.method != "POST":
            raise Refused(404, "", "Not found")
        body = parsed(request)
        if body.get("key") != self.key:
            raise Refused(401, "wrong_key", "")
        match request.path.removeprefix("/api/").split("/"):
            case ["v7", "video-fusion", "fetch", job_id]:
                return self._look(body, job_id, v6=False)
            case ["v6", "video", "fetch", job_id]:
                return self._look(body, job_id, v6=True)
            case ["v7", "video-fusion", call] if call in (TEXT, IMAGE, VIDEO):
                return self._create(call, body)
            case ["v6", "video", call] if call in V6:
                return self._create_v6(call, body)
            case ["wallet_balance"]:
                return _json({"status": "success", "data": {"balance": 12.5, "currency": "USD"}})
        raise Refused(404, "", "Not found")

    def refuse(self, request: Request, refused: Refused) -> Response:
        if request.path.startswith("/files/"):
            return Response(status=refused.status, body=b"<Error>AccessDenied</Error>")
        status, message = WORDS.get(refused.code, (refused.status, refused.message))
        body: dict[str, Any] = {"status": "error", "message": message}
        if status == 429 and refused.more.get("retry_after") is not None:
            body["retry_after"] = refused.more["retry_after"]
        hidden = self.errors_in_200 and status < 500
        return _json(body, status=200 if hidden else status)

    def webhook(self, job: VideoJob) -> tuple[dict[str, str], bytes]:
        state = self._state(job)
        kept = {
            name: state[name]
            for name in ("status", "output", "generationTime", "message", "messege")
            if name in state
        }
        return {}, json.dumps({**kept, "id": job.id, "track_id": job.more["track"], "meta": {}}).encode()

    def forged(self, job: VideoJob) -> tuple[dict[str, str], bytes]:
        body = {"status": "failed", "id": job.id, "track_id": job.more["track"], "message": "no"}
        return {}, json.dumps(body).encode()

    def _create(self, call: str, body: Mapping[str, Any]) -> Response:
        model_id = body.get("model_id")
        model = V7.get((call, model_id)) if isinstance(model_id, str) else None
        if model is None or model_id in self.dead:
            raise Refused(400, "", "The selected model id is invalid")
        _checked(body, model)
        for name in ("init_image", "init_video"):
            given = body.get(name, [])
            if isinstance(given, list) and given and self.bare_inputs:
                raise Refused(400, "", f"The {name} must be a string")
            for one in given if isinstance(given, list) else [given]:
                self._readable(name, one)
        return self._accept(body, v6=False)

    def _create_v6(self, call: str, body: Mapping[str, Any]) -> Response:
        if not isinstance(body.get("model_id"), str):
            raise Refused(400, "", "The model id field is required")
        _checked(body, V6[call])
        if "init_image" in body:
            self._readable("init_image", body["init_image"])
        # Another model is replaced without a word.
        known = body["model_id"] if body["model_id"] in ("wan2.2", "ltx-2.3") else "wan2.2"
        return self._accept({**body, "model_id": known}, v6=True)

    def _accept(self, body: Mapping[str, Any], *, v6: bool) -> Response:
        running = sum(job.phase not in ENDED for job in self.jobs.values())
        if self.queue is not None and running >= self.queue:
            raise Refused(429, "rate_limited", "", retry_after=20)
        kept = {name: value for name, value in body.items() if name != "key"}
        return self.accepted(kept, body.get("webhook"), self._answer, v6=v6, track=body.get("track_id"))

    def _look(self, body: Mapping[str, Any], job_id: str, *, v6: bool) -> Response:
        if body.keys() != {"key"}:
            raise Refused(400, "", "Unknown parameters")
        job = self.jobs.get(job_id)
        if job is not None and job.more["v6"] != v6:
            raise Refused(404, "not_found", "")
        return self.looked_at(job_id, self._answer)

    def _answer(self, job: VideoJob) -> Response:
        return _json(self._state(job))

    def _state(self, job: VideoJob) -> dict[str, Any]:
        link, id = self.link(job), int(job.id)
        match job.phase:
            case Phase.DONE:
                return {
                    "status": "success",
                    "generationTime": round(time.monotonic() - job.began, 1),
                    "id": id,
                    "output": [link] if job.has_media else [],
                    "proxy_links": [link] if job.has_media else [],
                    "meta": dict(job.body),
                }
            case Phase.FAILED:
                return {"status": "failed", "id": id, "message": "Generation failed"}
            case Phase.MODERATED:
                return {"status": "error", "id": id, "messege": "NSFW content was detected in the output"}
        path = "v6/video" if job.more["v6"] else "v7/video-fusion"
        return {
            "status": "defragmenting" if job.phase is Phase.UNKNOWN else "processing",
            "id": id,
            "eta": 85,
            "output": [],
            "message": "Try again after the estimated time",
            "fetch_result": f"{self.url}/{path}/fetch/{job.id}",
            "future_links": [link],
        }

    def _readable(self, name: str, url: Any) -> None:
        if not self.reachable(url):
            raise Refused(400, "", f"The file of {name} could not be read")


def _checked(body: Mapping[str, Any], model: Model) -> None:
    fields = {**COMMON, **model.fields}
    for name in sorted({"prompt", *model.required} - body.keys()):
        raise Refused(400, "", f"The {name} field is required")
    for name, value in body.items():
        if name not in fields:
            raise Refused(400, "", f"The parameter {name} is unknown to this model")
        if not fields[name](value):
            raise Refused(400, "", f"The {name} is invalid")
    if len(body["prompt"]) > model.prompt:
        raise Refused(400, "", "The prompt is too long")
    if "webhook" in body and not body["webhook"].startswith(("https://", "http://127.0.0.1")):
        raise Refused(400, "", "The webhook must be a valid https URL")


def _json(body: object, *, status: int = 200) -> Response:
    return Response(status=status, headers=dict(JSON), body=json.dumps(body).encode())
