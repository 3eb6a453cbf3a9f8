"""ElevenLabs as a local server. Facts: the vendor's SDK elevenlabs 2.78.0, its help pages on errors.

Where the vendor's own service may overlook a field that it doesn't know, this one refuses it.
"""

import json
import math
import re
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from .fields import Check, Problem, flag, listed, number, optional, problems, structured, text, whole, word_of
from .server import Audio, CutOff, Drip, Refused, Request, Response, Said, Simulator, parsed, wire

VOICES: Mapping[str, int] = {
    "eleven_v4": 10_000,
    "eleven_v4_turbo": 10_000,
    "eleven_v3": 3_000,
    "eleven_multilingual_v2": 10_000,
    "eleven_flash_v2_5": 40_000,
}
HALF_PRICE = frozenset({"eleven_v4_turbo", "eleven_flash_v2_5"})
FORMATS = (
    *("mp3_22050_32", "mp3_24000_48", "mp3_44100_32", "mp3_44100_64", "mp3_44100_96", "mp3_44100_128"),
    *("mp3_44100_192", "opus_48000_32", "opus_48000_64", "opus_48000_96", "opus_48000_128", "opus_48000_192"),
    *(
        f"{codec}_{rate}"
        for codec in ("pcm", "wav")
        for rate in (8000, 16000, 22050, 24000, 32000, 44100, 48000)
    ),
    *("ulaw_8000", "alaw_8000"),
)
MUSIC_FORMATS = (*FORMATS, "auto", "mp3_48000_128", "mp3_48000_192", "mp3_48000_240", "mp3_48000_320")
SPEECH_FIELDS: Mapping[str, Check] = {
    "text": text,
    "model_id": text,
    "language_code": optional(text),
    "voice_settings": optional(structured),
    "pronunciation_dictionary_locators": optional(listed),
    "seed": optional(whole(0, 2**32 - 1)),
    "previous_text": optional(text),
    "next_text": optional(text),
    "previous_request_ids": optional(listed),
    "next_request_ids": optional(listed),
    "use_pvc_as_ivc": flag,
    "apply_text_normalization": word_of("auto", "on", "off"),
    "apply_language_text_normalization": flag,
    "audio_effects": optional(structured),
}
EFFECT_FIELDS: Mapping[str, Check] = {
    "text": text,
    "duration_seconds": optional(number(0.5, 30)),
    "prompt_influence": optional(number(0, 1)),
    "loop": flag,
    "model_id": word_of("eleven_text_to_sound_v2", "eleven_text_to_sound_v3"),
}
MUSIC_FIELDS: Mapping[str, Check] = {
    "prompt": optional(text),
    "composition_plan": optional(structured),
    "music_length_ms": optional(whole(3_000, 600_000)),
    "model_id": word_of("music_v1", "music_v2", "music_v2_5"),
    "seed": optional(whole(0, 2**31 - 1)),
    "force_instrumental": flag,
    "respect_sections_durations": flag,
    "finetune_id": optional(text),
    "store_for_inpainting": flag,
    "sign_with_c2pa": flag,
}
LIST_QUERY = frozenset(
    {
        *(
            "page_size",
            "next_page_token",
            "search",
            "sort",
            "sort_direction",
            "voice_type",
            "category",
            "gender",
        ),
        *("age", "language", "accent", "use_cases", "voice_ids", "include_total_count", "collection_id"),
        *("fine_tuning_state", "min_notice_period_days", "include_custom_rates", "include_live_moderated"),
    }
)
# A frame of MPEG 1 layer III, 128 kbit/s at 44.1 kHz, with nothing in it: 26 ms of silence.
FRAME = b"\xff\xfb\x90\x64" + bytes(413)
BYTES_PER_SECOND = 16_000
A_LETTER = 0.06
PIECE = 3 << 16
SPEAK = re.compile(r"/v1/text-to-speech/([^/]+)/with-timestamps")
# What the status alone stands for.
WORDS = {401: "invalid_api_key", 403: "missing_permissions", 429: "too_many_concurrent_requests"}


@dataclass(frozen=True, slots=True)
class Voice:
    id: str
    name: str
    category: str = "premade"

    def described(self) -> dict[str, Any]:
        return {
            "voice_id": self.id,
            "name": self.name,
            "category": self.category,
            "labels": {"gender": "male"},
            "description": "calm narrator",
            "preview_url": "https://storage.example/preview.mp3",
            "high_quality_base_model_ids": ["eleven_multilingual_v2"],
            "settings": None,
        }


@dataclass
class Account:
    """Whose key it is. `credits`: what is left; None: enough."""

    credits: int | None = None
    voices: list[Voice] = field(
        default_factory=lambda: [
            Voice("JBFqnCBsd6RMkjVDRZzb", "George - Warm, Captivating Storyteller"),
            Voice("v_nora", "Nora"),
        ]
    )


class ElevenLabs(Simulator):
    def __init__(self, *, key: str = "sk_simulated0123456789") -> None:
        super().__init__(key=key)
        self.account = Account()
        self.answers(Audio())

    def respond(self, request: Request) -> Response:
        if request.headers.get("xi-api-key") != self.key:
            raise Refused(401, "invalid_api_key", "Invalid API key")
        route = (request.method, request.path)
        if route == ("GET", "/v2/voices"):
            return self._voices(request)
        if request.method == "POST" and (found := SPEAK.fullmatch(request.path)):
            return self._speak(request, found[1])
        if route == ("POST", "/v1/sound-generation"):
            return self._effect(request)
        if route == ("POST", "/v1/music"):
            return self._music(request)
        raise Refused(404, "not_found", "Not Found")

    def refuse(self, request: Request, refused: Refused) -> Response:
        if found := refused.more.get("problems"):
            return Response(
                status=refused.status, headers=dict(JSON), body=json.dumps({"detail": found}).encode()
            )
        detail = {"status": refused.code or WORDS.get(refused.status, "error"), "message": refused.message}
        headers = dict(JSON)
        if refused.more.get("retry_after") is not None:
            headers["Retry-After"] = str(refused.more["retry_after"])
        return Response(status=refused.status, headers=headers, body=json.dumps({"detail": detail}).encode())

    def _voices(self, request: Request) -> Response:
        _check([_unknown("query", name) for name in request.query if name not in LIST_QUERY])
        size = int(request.query.get("page_size", ["10"])[0])
        if not 1 <= size <= 100:
            _check(
                [
                    {
                        "loc": ["query", "page_size"],
                        "msg": "Input should be at most 100",
                        "type": "less_than_equal",
                    }
                ]
            )
        begin = int(request.query.get("next_page_token", ["t0"])[0][1:])
        voices = self.account.voices
        more = begin + size < len(voices)
        body = {
            "voices": [voice.described() for voice in voices[begin : begin + size]],
            "has_more": more,
            "total_count": len(voices),
            "next_page_token": f"t{begin + size}" if more else None,
        }
        return Response(headers=dict(JSON), body=json.dumps(body).encode())

    def _speak(self, request: Request, voice: str) -> Response:
        body = _read(request, SPEECH_FIELDS, {"text"}, FORMATS)
        longest = VOICES.get(body.get("model_id", "eleven_multilingual_v2"))
        if longest is None:
            raise Refused(400, "model_not_found", "A model with that id does not exist.")
        words: str = body["text"]
        if len(words) > longest:
            raise Refused(
                400, "max_character_limit_exceeded", f"The limit of this model is {longest} characters."
            )
        if voice not in {one.id for one in self.account.voices}:
            raise Refused(404, "voice_not_found", f"A voice with voice_id {voice} was not found.")
        cost = math.ceil(len(words) * (0.5 if body.get("model_id") in HALF_PRICE else 1))
        said = self.said(request)
        if (response := wire(said)) is not None:
            return response
        self._take(cost)
        audio = said if isinstance(said, Audio) else Audio()
        alignment = _alignment(words) if audio.times else None
        size = audio.size or int(len(words) * A_LETTER * BYTES_PER_SECOND)
        pieces = _envelope(size, {"alignment": alignment, "normalized_alignment": alignment})
        return _answer(JSON | self._headers(cost), pieces, said)

    def _effect(self, request: Request) -> Response:
        body = _read(request, EFFECT_FIELDS, {"text"}, FORMATS)
        seconds = body.get("duration_seconds")
        return self._sound(request, seconds or 5.0, math.ceil(40 * seconds) if seconds else 200)

    def _music(self, request: Request) -> Response:
        body = _read(request, MUSIC_FIELDS, set(), MUSIC_FORMATS)
        if (body.get("prompt") is None) == (body.get("composition_plan") is None):
            raise Refused(
                422, "", "", problems=[_wrong("prompt", "exactly one of prompt and composition_plan")]
            )
        if body.get("prompt") is None and (body.get("music_length_ms") or body.get("force_instrumental")):
            raise Refused(422, "", "", problems=[_wrong("music_length_ms", "goes with a prompt only")])
        if body.get("prompt") is not None and body.get("seed") is not None:
            raise Refused(422, "", "", problems=[_wrong("seed", "does not go with a prompt")])
        seconds = (body.get("music_length_ms") or 60_000) / 1000
        return self._sound(request, seconds, math.ceil(seconds * 60))

    def _sound(self, request: Request, seconds: float, cost: int) -> Response:
        said = self.said(request)
        if (response := wire(said)) is not None:
            return response
        self._take(cost)
        size = (said.size if isinstance(said, Audio) else None) or int(seconds * BYTES_PER_SECOND)
        return _answer({"Content-Type": "audio/mpeg"} | self._headers(cost), _mp3(size), said)

    def _take(self, cost: int) -> None:
        left = self.account.credits
        if left is None:
            return
        if cost > left:
            raise Refused(
                401,
                "quota_exceeded",
                f"This request exceeds your quota. You have {left} credits remaining, while {cost} are required.",
            )
        self.account.credits = left - cost

    def _headers(self, cost: int) -> dict[str, str]:
        return {
            "request-id": f"req{self.number():08d}",
            "character-cost": str(cost),
            "current-concurrent-requests": "1",
            "maximum-concurrent-requests": "10",
        }


JSON = {"Content-Type": "application/json"}


def _read(
    request: Request, fields: Mapping[str, Check], required: set[str], formats: tuple[str, ...]
) -> dict[str, Any]:
    query = {name: values[0] for name, values in request.query.items()}
    found = problems(
        query,
        {"output_format": word_of(*formats), "enable_logging": word_of("true", "false")},
        set(),
        where="query",
    )
    body = parsed(request)
    _check(found + problems(body, fields, required))
    return body


def _answer(headers: dict[str, str], pieces: Iterator[bytes], said: Said) -> Response:
    if isinstance(said, CutOff | Drip):
        return Response(headers=headers, body=b"".join(pieces), fault=said)
    return Response(headers=headers, body=pieces)


def _check(found: list[Problem]) -> None:
    if found:
        raise Refused(422, "validation", "", problems=found)


def _unknown(where: str, name: str) -> Problem:
    return {"loc": [where, name], "msg": "Extra inputs are not permitted", "type": "extra_forbidden"}


def _wrong(name: str, message: str) -> Problem:
    return {"loc": ["body", name], "msg": message, "type": "value_error"}


def _alignment(words: str) -> dict[str, Any]:
    ends = [round(A_LETTER * count, 3) for count in range(1, len(words) + 1)]
    return {
        "characters": list(words),
        "character_start_times_seconds": [0.0, *ends[:-1]],
        "character_end_times_seconds": ends,
    }


def _mp3(size: int) -> Iterator[bytes]:
    """Whole frames, so many bytes or a few more, in pieces that base64 takes one by one."""
    block = FRAME * (3 * 128)
    left = max(size, 1)
    while left > 0:
        piece = block[: -(-left // (3 * len(FRAME))) * 3 * len(FRAME)]
        left -= len(piece)
        yield piece


def _envelope(size: int, rest: Mapping[str, Any]) -> Iterator[bytes]:
    yield b'{"audio_base64": "'
    for piece in _mp3(size):
        yield b64encode(piece)
    yield b'", ' + json.dumps(rest).encode()[1:]
