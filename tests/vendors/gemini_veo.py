"""Veo at the Gemini API as it was: `:predictLongRunning`, operations and files, by API key.

Facts: the vendor's REST guide and google-genai 2.34. The layout of its webhooks is unconfirmed; here they have an
envelope with the operation's name and what was given to be returned, and no signature.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar

from .fields import Check, flag, structured, text, whole, word_of
from .google_video import GoogleVideo, answer, check_picture, checked, decoded, invalid
from .server import Refused, Request, Response, parsed
from .video import Fault, Phase, VideoJob

MODELS = frozenset(
    {
        "veo-3.1-generate-preview",
        "veo-3.1-fast-generate-preview",
        "veo-3.1-lite-generate-preview",
        "veo-3.0-generate-001",
        "veo-3.0-fast-generate-001",
        "veo-2.0-generate-001",
    }
)
INSTANCE: Mapping[str, Check] = {
    "prompt": text,
    "image": structured,
    "lastFrame": structured,
    "video": structured,
}
# Not among them, as the vendor's own client knew: seed, generateAudio, fps, storageUri, resizeMode, labels.
PARAMETERS: Mapping[str, Check] = {
    "aspectRatio": word_of("16:9", "9:16"),
    "resolution": word_of("720p", "1080p", "4k"),
    "durationSeconds": whole(4, 8),
    "personGeneration": word_of("allow_all", "allow_adult", "dont_allow"),
    "negativePrompt": text,
    "sampleCount": whole(1, 2),
    "enhancePrompt": flag,
}
PICTURE: Mapping[str, Check] = {"bytesBase64Encoded": text, "mimeType": text}
FILTERED = "The prompt has sensitive content. Support code 0000."
ERRORS: Mapping[Phase, tuple[int, str]] = {
    Phase.FAILED: (13, "An internal error has occurred."),
    Phase.CANCELLED: (1, "The operation was cancelled."),
}


def check_combination(model: str, instance: Mapping[str, Any], parameters: Mapping[str, Any]) -> None:
    """What the models of both doors make of their lengths and sizes. Raises Refused."""
    seconds, size = parameters.get("durationSeconds", 8), parameters.get("resolution", "720p")
    if model.startswith("veo-2"):
        if seconds < 5:
            raise invalid("durationSeconds must be from 5 to 8.")
    elif seconds not in (4, 6, 8):
        raise invalid("durationSeconds must be 4, 6 or 8.")
    if size == "4k" and "lite" in model:
        raise invalid("4k is not supported by this model.")
    if seconds != 8 and (size in ("1080p", "4k") or "lastFrame" in instance or "video" in instance):
        raise invalid("durationSeconds must be 8 here.")
    if "video" in instance and size != "720p":
        raise invalid("Videos are extended in 720p.")
    if "lastFrame" in instance and "image" not in instance:
        raise invalid("lastFrame needs image.")
    if not {"prompt", "image", "video"} & instance.keys():
        raise invalid("A prompt is needed.")


def check_pictures(instance: Mapping[str, Any]) -> None:
    for name in ("image", "lastFrame"):
        if name in instance:
            picture = checked(instance[name], PICTURE, {"bytesBase64Encoded", "mimeType"})
            check_picture(decoded(picture["bytesBase64Encoded"]), picture["mimeType"])


def one_instance(body: Mapping[str, Any], fields: Mapping[str, Check]) -> dict[str, Any]:
    instances = body["instances"]
    if not isinstance(instances, list) or len(instances) != 1:
        raise invalid("Exactly one instance is expected.")
    return checked(instances[0], fields)


class GeminiVeo(GoogleVideo):
    """`retired`: as it is since its end, every submission is a 404."""

    name = "gemini-veo"
    cannot: ClassVar[frozenset[Fault]] = frozenset({Fault.MODERATED_AT_SUBMIT, Fault.UNKNOWN_WORD})
    retired = False

    @property
    def url(self) -> str:
        return f"{self.root}/v1beta"

    def environment(self) -> dict[str, str]:
        return {"GEMINI_VEO_API_KEY": self.key, "GEMINI_VEO_URL": self.url}

    def respond(self, request: Request) -> Response:
        given = request.headers.get("x-goog-api-key")
        if given is None:
            raise Refused(403, "no_key", "Method doesn't allow unregistered callers.")
        if given != self.key:
            raise Refused(400, "API_KEY_INVALID", "API key not valid.")
        path = request.path.removeprefix("/v1beta/")
        if request.method == "POST" and path.startswith("models/") and path.endswith(":predictLongRunning"):
            return self._submit(request, path.removeprefix("models/").removesuffix(":predictLongRunning"))
        if request.method == "GET" and "/operations/" in path:
            job_id = path.rpartition("/")[2]
            job = self.jobs.get(job_id)
            if job is None or path != self.operation(job):
                raise Refused(404, "not_found", "Operation not found.")
            return self.looked_at(job_id, lambda job: answer(self.state(job)))
        if request.method == "GET" and path.startswith("files/") and request.query == {"alt": ["media"]}:
            job_id = path.removeprefix("files/").removesuffix(":download")
            if job_id in self.jobs:
                return self.downloaded(self.jobs[job_id])
        raise Refused(404, "not_found", "Requested entity was not found.")

    def webhook(self, job: VideoJob) -> tuple[dict[str, str], bytes]:
        message = {
            "type": "video.generated",
            "version": "v1",
            "timestamp": datetime.now(UTC).isoformat(),
            "data": {"id": self.operation(job)},
            "user_metadata": job.more["metadata"],
        }
        return {"webhook-id": f"evt_{job.id}"}, json.dumps(message).encode()

    def operation(self, job: VideoJob) -> str:
        return f"models/{job.more['model']}/operations/{job.id}"

    def state(self, job: VideoJob) -> dict[str, Any]:
        said: dict[str, Any] = {"name": self.operation(job)}
        match job.phase:
            case Phase.QUEUED | Phase.RUNNING | Phase.UNKNOWN:
                return said
            case Phase.FAILED | Phase.CANCELLED as phase:
                code, message = ERRORS[phase]
                return said | {"done": True, "error": {"code": code, "message": message, "details": []}}
            case Phase.MODERATED:
                result: dict[str, Any] = {
                    "raiMediaFilteredCount": 1,
                    "raiMediaFilteredReasons": [FILTERED],
                }
            case Phase.DONE:
                uri = f"{self.url}/files/{job.id}:download?alt=media"
                result = {"generatedSamples": [{"video": {"uri": uri}}]} if job.has_media else {}
        kind = "type.googleapis.com/google.ai.generativelanguage.v1beta.PredictLongRunningResponse"
        return said | {"done": True, "response": {"@type": kind, "generateVideoResponse": result}}

    def _submit(self, request: Request, model: str) -> Response:
        if self.retired or model not in MODELS:
            raise Refused(404, "not_found", f"models/{model} is not found.")
        top = {"instances": lambda value: isinstance(value, list), "parameters": structured}
        body = checked(parsed(request), {**top, "webhookConfig": structured}, {"instances"})
        instance = one_instance(body, INSTANCE)
        parameters = checked(body.get("parameters", {}), PARAMETERS)
        check_combination(model, instance, parameters)
        check_pictures(instance)
        if parameters.get("sampleCount", 1) > 1 and not model.startswith("veo-2"):
            raise invalid("sampleCount must be 1.")
        if "video" in instance:
            source = checked(instance["video"], {"uri": text, "encodedVideo": text, "encoding": text})
            known = {f"{self.url}/files/{job_id}:download?alt=media" for job_id in self.jobs}
            if source.get("uri") not in known:
                raise invalid("The video must be one that Veo made.")
        hook = checked(body.get("webhookConfig", {}), {"uris": addresses, "user_metadata": structured})
        return self.accepted(
            body,
            next(iter(hook.get("uris", [])), None),
            lambda job: answer({"name": self.operation(job)}),
            model=model,
            metadata=hook.get("user_metadata", {}),
        )


def addresses(value: Any) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(one, str) and one.startswith(("https://", "http://127.0.0.1")) for one in value)
    )
