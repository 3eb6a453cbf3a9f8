"""Gemini Omni's videos through the Interactions API, as a local server. Facts: the API reference and google-genai 3.4.

The layout of its webhooks is unconfirmed; here they have an envelope with the interaction's id and what was given to
be returned. Signed as Standard Webhooks are, where the simulator has a `secret`.
"""

import base64
import hmac
import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, ClassVar

from .fields import Check, flag, structured, text, whole, word_of
from .gemini_veo import addresses
from .google_video import GoogleVideo, answer, checked, decoded, invalid, words
from .server import Refused, Request, Response, parsed
from .video import ENDED, Fault, Phase, VideoJob

MODELS = frozenset({"gemini-omni-1.2-flash", "gemini-omni-1.1-flash", "gemini-omni-flash-preview"})
TOP: Mapping[str, Check] = {
    "model": text,
    "input": lambda value: isinstance(value, str | list) and bool(value),
    "background": flag,
    "store": flag,
    "response_format": structured,
    "generation_config": structured,
    "previous_interaction_id": text,
    "labels": words,
    "webhook_config": structured,
}
FORMAT: Mapping[str, Check] = {
    "type": word_of("video"),
    "aspect_ratio": word_of("16:9", "9:16"),
    "resolution": word_of("360p", "720p", "1080p", "4k"),
    "duration": word_of(*(f"{seconds}s" for seconds in range(3, 16))),
    "delivery": word_of("uri", "inline"),
}
TASKS = word_of("text_to_video", "image_to_video", "reference_to_video", "edit", "extend", "upscale")
WORDS: Mapping[Phase, str] = {
    Phase.QUEUED: "queued",
    Phase.RUNNING: "in_progress",
    Phase.DONE: "completed",
    Phase.FAILED: "failed",
    # The model says in words that it won't.
    Phase.MODERATED: "completed",
    Phase.CANCELLED: "cancelled",
    Phase.UNKNOWN: "daydreaming",
}
EVENTS: Mapping[Phase, str] = {
    Phase.DONE: "interaction.completed",
    Phase.MODERATED: "interaction.completed",
    Phase.FAILED: "interaction.failed",
    Phase.CANCELLED: "interaction.cancelled",
}


class GeminiOmni(GoogleVideo):
    """`inline`: videos come inside the answer, although asked for by address. `echo`: the input comes back."""

    name = "gemini-omni"
    cannot: ClassVar[frozenset[Fault]] = frozenset({Fault.MODERATED_AT_SUBMIT})
    inline = False
    echo = True
    secret = ""

    @property
    def url(self) -> str:
        return f"{self.root}/v1beta"

    def environment(self) -> dict[str, str]:
        return {
            "GEMINI_OMNI_API_KEY": self.key,
            "GEMINI_OMNI_URL": self.url,
            "GEMINI_OMNI_WEBHOOK_SECRET": self.secret,
        }

    def new_id(self) -> str:
        return f"int_{self.number()}"

    def respond(self, request: Request) -> Response:
        given = request.headers.get("x-goog-api-key")
        if given is None:
            raise Refused(403, "no_key", "Method doesn't allow unregistered callers.")
        if given != self.key:
            raise Refused(400, "API_KEY_INVALID", "API key not valid.")
        path = request.path.removeprefix("/v1beta/")
        match request.method, path.split("/"):
            case "POST", ["interactions"]:
                return self._submit(request)
            case "GET", ["interactions", job_id]:
                return self.looked_at(job_id, lambda job: answer(self.state(job)))
            case "POST", ["interactions", job_id, "cancel"]:
                return self._cancel(job_id)
            case "DELETE", ["interactions", job_id] if job_id in self.jobs:
                del self.jobs[job_id]
                return answer({})
            case "GET", ["files", name] if request.query == {"alt": ["media"]}:
                job_id = name.removesuffix(":download")
                if job_id in self.jobs:
                    return self.downloaded(self.jobs[job_id])
        raise Refused(404, "not_found", "Requested entity was not found.")

    def webhook(self, job: VideoJob) -> tuple[dict[str, str], bytes]:
        message = {
            "type": EVENTS.get(job.phase, "interaction.updated"),
            "version": "v1",
            "timestamp": _now(),
            "data": {"id": job.id, "status": WORDS[job.phase]},
            "user_metadata": job.more["metadata"],
        }
        body = json.dumps(message).encode()
        headers = {"webhook-id": f"evt_{job.id}", "webhook-timestamp": str(int(time.time()))}
        if self.secret:
            key = base64.b64decode(self.secret.split(",")[0].strip().removeprefix("whsec_"))
            head = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode()
            digest = hmac.new(key, head + body, sha256).digest()
            headers["webhook-signature"] = f"v1,{base64.b64encode(digest).decode()}"
        return headers, body

    def state(self, job: VideoJob) -> dict[str, Any]:
        said: dict[str, Any] = {
            "id": job.id,
            "object": "interaction",
            "status": WORDS[job.phase],
            "model": job.body["model"],
            "created": datetime.fromtimestamp(job.created_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "updated": _now(),
            "steps": [],
            "labels": job.body.get("labels", {}),
        }
        if self.echo:
            said["steps"].append({"type": "user_input", "content": contents(job.body["input"])})
        match job.phase:
            case Phase.DONE if job.has_media:
                said["steps"].append({"type": "model_output", "content": [self._video(job)]})
                said["usage"] = {"total_tokens": 57_920}
            case Phase.MODERATED:
                refusal = {"type": "text", "text": "I can't make that video."}
                said["steps"].append({"type": "model_output", "content": [refusal]})
            case Phase.FAILED:
                error = {"code": 13, "message": "An internal error has occurred.", "details": []}
                said["steps"].append({"type": "model_output", "content": [], "error": error})
                said["errors"] = [{"code": "internal", "message": "An internal error has occurred."}]
        return said

    def _video(self, job: VideoJob) -> dict[str, str]:
        video = {"type": "video", "mime_type": "video/mp4"}
        if self.inline or job.body["response_format"].get("delivery") == "inline":
            return video | {"data": base64.b64encode(self.content(job)).decode()}
        return video | {"uri": f"{self.url}/files/{job.id}:download?alt=media"}

    def _cancel(self, job_id: str) -> Response:
        job = self.jobs.get(job_id)
        if job is None:
            raise Refused(404, "not_found", "Requested entity was not found.")
        if job.phase in ENDED:
            raise invalid("The interaction has ended.")
        job.cancelled = True
        return answer(self.state(job))

    def _submit(self, request: Request) -> Response:
        body = checked(parsed(request), TOP, {"model", "input"})
        if body["model"] not in MODELS:
            raise Refused(404, "not_found", f"Model {body['model']} is not found.")
        if body.get("background") and body.get("store") is False:
            raise invalid("background needs store.")
        wanted = checked(body.get("response_format"), FORMAT, {"type"})
        config = checked(
            body.get("generation_config", {}), {"seed": whole(0, 2**31 - 1), "video_config": structured}
        )
        task = checked(config.get("video_config", {}), {"task": TASKS}).get("task")
        kinds = self._check_input(body["input"])
        before = body.get("previous_interaction_id")
        if before is not None and before not in self.jobs:
            raise Refused(404, "not_found", "The previous interaction was not found.")
        fits = {
            "text_to_video": kinds == {"text"} and before is None,
            "image_to_video": "image" in kinds and "video" not in kinds,
            "reference_to_video": "image" in kinds,
            None: True,
        }
        if not fits.get(task, "video" in kinds or before is not None):
            raise invalid(f"The input doesn't fit {task}.")
        hook = checked(body.get("webhook_config", {}), {"uris": addresses, "user_metadata": structured})
        return self.accepted(
            {**body, "response_format": wanted},
            next(iter(hook.get("uris", [])), None),
            lambda job: answer(self.state(job)),
            metadata=hook.get("user_metadata", {}),
        )

    def _check_input(self, given: str | list[Any]) -> set[str]:
        """The kinds of content in it, each really read."""
        kinds: set[str] = set()
        for block in contents(given):
            kind = block.get("type") if isinstance(block, dict) else None
            if kind == "text":
                checked(block, {"type": text, "text": text}, {"text"})
            elif kind in ("image", "video"):
                checked(block, {"type": text, "uri": text, "data": text, "mime_type": text}, {"mime_type"})
                if not block["mime_type"].startswith(f"{kind}/"):
                    raise invalid("The mime_type is another kind's.")
                if "data" in block:
                    decoded(block["data"])
                elif not self.reachable(block.get("uri")):
                    raise invalid("The file can't be read.")
            else:
                raise invalid("Unknown content.")
            kinds.add(str(kind))
        return kinds


def contents(given: str | list[Any]) -> list[Any]:
    """The content of an input: words, blocks, or a user's step of blocks, which is how the official client sends them."""
    match given:
        case str():
            return [{"type": "text", "text": given}]
        case [{"type": "user_input", "content": list(blocks)}]:
            return blocks
        case _:
            return given


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
