"""Veo's long-running operations: what is asked for and how its end is read, the same at both of Google's doors.

Source: the contract of the closed Gemini API, whose shape the Cloud API and resellers keep; google-genai 2.34 and 3.4.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from providers import inputs
from providers.contract import InputMedia, Mode, RenderRequest, RenderState
from providers.errors import FailureCode, ProviderError, ReadFailed, RenderFailed, UnsupportedFeature
from providers.http import Client

from .google_errors import CANCELLED, FAILURES

RESOLUTIONS: Mapping[str, str] = {"720p": "720p", "1080p": "1080p", "4K": "4k"}
RATIOS = frozenset({"16:9", "9:16"})
PICTURES = frozenset({"image/jpeg", "image/png"})
# A practical cap, unconfirmed.
MOST_PICTURE_BYTES = 10_000_000
# 1,024 tokens, at three characters each.
MOST_LETTERS = 3_000

RUNNING, DONE, FILTERED = "running", "done", "filtered"
"""What an operation has no words for. One that failed is "error" and its code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """Where a render stands; `media` is the vendor's own description of the video, once there is one."""

    state: RenderState
    word: str
    media: Mapping[str, Any] | None = None
    failure: ProviderError | None = None


def check(provider: str, request: RenderRequest) -> None:
    """Raises UnsupportedFeature for what neither door can express."""
    if request.style is not None:
        raise UnsupportedFeature(provider, "style")
    if request.resolution not in RESOLUTIONS:
        raise UnsupportedFeature(provider, f"the resolution {request.resolution}")
    if request.ratio not in RATIOS:
        raise UnsupportedFeature(provider, f"the ratio {request.ratio}")
    if request.end_image is not None and request.start_image is None:
        raise UnsupportedFeature(provider, "an end image without a start image")
    if request.mode is Mode.VIDEO and not (request.source_video and request.source_video.vendor_id):
        raise UnsupportedFeature(provider, "a source video that it did not make")
    for picture in (request.start_image, request.end_image):
        if picture is not None and picture.media_type not in PICTURES:
            raise UnsupportedFeature(provider, "a picture that is neither JPEG nor PNG")


def instance(provider: str, request: RenderRequest, http: Client) -> dict[str, object]:
    """The one element of `instances`, without a source video. Pictures go inline; raises as `inputs.read`."""
    made: dict[str, object] = {}
    if request.prompt:
        made["prompt"] = request.prompt
    for field, picture in (("image", request.start_image), ("lastFrame", request.end_image)):
        if picture is not None:
            made[field] = _inline(provider, picture, http)
    return made


def parameters(request: RenderRequest) -> dict[str, object]:
    """What both doors take. One video, and our own word about the prompt: neither default is written down."""
    made: dict[str, object] = {
        "aspectRatio": request.ratio,
        "resolution": RESOLUTIONS[request.resolution],
        "durationSeconds": request.duration_seconds,
        "sampleCount": 1,
        "enhancePrompt": request.enhance,
    }
    if request.negative_prompt:
        made["negativePrompt"] = request.negative_prompt
    return made


def read(provider: str, answer: Any) -> Operation:
    """Where an operation stands. Raises ReadFailed for an answer that is none."""
    match answer:
        case {"name": str()} | {"done": True}:
            done = answer.get("done", False)
        case _:
            raise ReadFailed(provider)
    if done is False:
        return Operation(state=RenderState.RUNNING, word=RUNNING)
    if done is not True:
        return Operation(state=RenderState.UNKNOWN, word="")
    error = answer.get("error")
    if error:
        code = error.get("code") if isinstance(error, dict) else None
        if type(code) is not int:
            return _failed(provider, "error", FailureCode.VENDOR_FAULT, False)
        word = f"error {code}"
        if code == CANCELLED:
            return Operation(state=RenderState.CANCELLED, word=word)
        ours, again = FAILURES.get(code, (FailureCode.VENDOR_FAULT, False))
        return _failed(provider, word, ours, again)
    found = _result(answer.get("response"))
    if (media := _media(found)) is not None:
        return Operation(state=RenderState.SUCCEEDED, word=DONE, media=media)
    if found.get("raiMediaFilteredCount") or found.get("raiMediaFilteredReasons"):
        return _failed(provider, FILTERED, FailureCode.MODERATED, False)
    return _failed(provider, DONE, FailureCode.NO_MEDIA, True)


def _failed(provider: str, word: str, code: FailureCode, again: bool) -> Operation:
    failure = RenderFailed(provider, code=code, retryable=again)
    return Operation(state=RenderState.FAILED, word=word, failure=failure)


def _result(response: object) -> Mapping[str, Any]:
    match response:
        case {"generateVideoResponse": dict(found)}:
            return found
        case dict(found):
            return found
        case _:
            return {}


def _media(found: Mapping[str, Any]) -> Mapping[str, Any] | None:
    match found:
        case {"generatedSamples": [{"video": dict(media)}, *_]} | {"videos": [dict(media), *_]}:
            return media
        case _:
            return None


def _inline(provider: str, picture: InputMedia, http: Client) -> dict[str, str]:
    content = inputs.read(provider, http, picture, max_bytes=MOST_PICTURE_BYTES)
    return {"bytesBase64Encoded": inputs.as_base64(content), "mimeType": picture.media_type}
