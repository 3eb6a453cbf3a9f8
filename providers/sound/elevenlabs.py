"""ElevenLabs: speech with the time of each word, effects and music. Facts: its SDK elevenlabs 2.78.0, 2026-11.

The answer to a call is the sound; there is no job to look up. What it took of our credits is in a header.
"""

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Self
from urllib.parse import quote

from providers.catalogue.sound import SoundKind, SoundModel
from providers.contract import Cost
from providers.errors import (
    BalanceUsedUp,
    CredentialsRefused,
    FailureCode,
    NotSent,
    OutcomeUnknown,
    ProviderError,
    RateLimited,
    RequestRefused,
)
from providers.http import Answer, BadStatus, Client, HttpError, UnusableBody
from providers.submission import PERHAPS_AN_EARLIER_COPY, submission_error

from . import words
from .contract import EffectRequest, MadeSound, MusicRequest, SoundProvider, SpeechRequest
from .envelope import Unreadable, take_apart
from .files import MOST_BYTES, NoSound, arriving, keep
from .limits import model_for
from .transport import client_for
from .voices import Voices

FORMAT = "mp3_44100_128"
BYTES_PER_SECOND = 128_000 / 8
# Base64, and the time of each letter.
MOST_ANSWER_BYTES = MOST_BYTES * 4 // 3 + (16 << 20)

MODERATED = frozenset({"bad_prompt", "content_against_policy", "content_policy_violation", "moderated"})
BUSY = frozenset({"too_many_concurrent_requests", "concurrent_limit_exceeded", "system_busy", "rate_limited"})
_CREDITS = re.compile(r"[0-9]{1,9}(\.[0-9]{1,4})?")


class ElevenLabsProvider(SoundProvider):
    name = "elevenlabs"
    settings: ClassVar[Sequence[str]] = ("ELEVENLABS_API_KEY", "ELEVENLABS_URL", "ELEVENLABS_VOICE")
    defaults: ClassVar[Mapping[str, str]] = MappingProxyType(
        {
            "ELEVENLABS_URL": "https://api.elevenlabs.io",
            # George, a premade voice: the one in the examples of the vendor's SDK.
            "ELEVENLABS_VOICE": "JBFqnCBsd6RMkjVDRZzb",
        }
    )

    def __init__(self, *, key: str, url: str, voice: str, http: Client | None = None) -> None:
        """`voice` speaks where a request names none; `http` replaces the client, for other bounds."""
        self._url = url.rstrip("/")
        self._http = http or client_for(url)
        self._headers = {"xi-api-key": key}
        self._voice = voice
        self._voices = Voices(self._http, self._url, self._headers)

    @classmethod
    def from_settings(cls, values: Mapping[str, str]) -> Self:
        key, url, voice = (values[name] for name in cls.settings)
        return cls(key=key, url=url, voice=voice)

    def speak(self, request: SpeechRequest, target: Path) -> MadeSound:
        model = model_for(self.name, request.model, SoundKind.VOICE, text=request.text)
        ends_at = self._ends_at()
        voice = self._voice_id(request.voice or self._voice)
        context = {"previous_text": request.before, "next_text": request.after}
        body = {
            "text": request.text,
            "model_id": request.model,
            **{name: text for name, text in context.items() if text},
        }
        with arriving(target, ".json") as envelope, arriving(target) as sound:
            answer = self._post(
                f"/v1/text-to-speech/{quote(voice, safe='')}/with-timestamps",
                body,
                envelope,
                MOST_ANSWER_BYTES,
                ends_at,
            )
            try:
                rest = take_apart(envelope, sound)
                seconds = sound.stat().st_size / BYTES_PER_SECOND
                path, media_type = keep(sound, target)
            except (Unreadable, NoSound):
                raise OutcomeUnknown(self.name) from None
        try:
            spoken, estimated = words.from_characters(rest.get("alignment")), False
        except words.NoTimes:
            spoken, estimated = words.evenly(request.text, seconds), True
        return MadeSound(
            path=path,
            media_type=media_type,
            words=spoken,
            words_estimated=estimated,
            cost=_cost(answer, model.cost(characters=len(request.text)), model),
            request_id=_request_id(answer),
        )

    def make_effect(self, request: EffectRequest, target: Path) -> MadeSound:
        """From the words alone: it has no eye for the video."""
        model = model_for(
            self.name, request.model, SoundKind.EFFECT, text=request.text, seconds=request.seconds
        )
        seconds = round(model.seconds_made(request.seconds), 2)
        body = {"text": request.text, "duration_seconds": seconds, "model_id": request.model}
        return self._made("/v1/sound-generation", body, target, model, seconds)

    def make_music(self, request: MusicRequest, target: Path) -> MadeSound:
        model = model_for(
            self.name, request.model, SoundKind.MUSIC, text=request.text, seconds=request.seconds
        )
        seconds = model.seconds_made(request.seconds)
        body = {
            "prompt": request.text,
            "music_length_ms": round(seconds * 1000),
            "model_id": request.model,
            "force_instrumental": True,
        }
        return self._made("/v1/music", body, target, model, seconds)

    def _made(
        self, route: str, body: Mapping[str, object], target: Path, model: SoundModel, seconds: float
    ) -> MadeSound:
        with arriving(target) as sound:
            answer = self._post(route, body, sound, MOST_BYTES, self._ends_at())
            try:
                path, media_type = keep(sound, target)
            except NoSound:
                raise OutcomeUnknown(self.name) from None
        return MadeSound(
            path=path,
            media_type=media_type,
            cost=_cost(answer, model.cost(seconds=seconds), model),
            request_id=_request_id(answer),
        )

    def _ends_at(self) -> float:
        return time.monotonic() + self._http.config.total_seconds

    def _post(
        self, route: str, body: Mapping[str, object], to: Path, max_bytes: int, ends_at: float
    ) -> Answer:
        url = f"{self._url}{route}?output_format={FORMAT}"
        try:
            with to.open("wb") as file:
                return self._http.post_to_file(
                    url,
                    body,
                    file,
                    headers=self._headers,
                    max_bytes=max_bytes,
                    total_seconds=max(ends_at - time.monotonic(), 0.001),
                )
        except HttpError as error:
            failure = self._error(error)
            if isinstance(failure, RequestRefused) and failure.code is FailureCode.VOICE_UNKNOWN:
                self._voices.forget()
            raise failure from None

    def _voice_id(self, voice: str) -> str:
        try:
            found = self._voices.find(voice.strip())
        except HttpError as error:
            # The list only: nothing was asked to be spoken.
            failure = self._error(error)
            if isinstance(failure, RateLimited | CredentialsRefused):
                raise failure from None
            raise NotSent(self.name) from None
        if found is None:
            raise RequestRefused(self.name, code=FailureCode.VOICE_UNKNOWN)
        return found

    def _error(self, error: HttpError) -> ProviderError:
        """What a failed call means: by the vendor's own word for it first, since one status has several."""
        if (
            isinstance(error, BadStatus)
            and 400 <= error.status < 500
            and error.status not in PERHAPS_AN_EARLIER_COPY
        ):
            detail = _detail(error.answer)
            if detail.code == "quota_exceeded":
                return BalanceUsedUp(self.name)
            if detail.code == "voice_not_found":
                return RequestRefused(self.name, code=FailureCode.VOICE_UNKNOWN)
            if detail.code in MODERATED or detail.suggests:
                return RequestRefused(self.name, code=FailureCode.MODERATED)
            if detail.code in BUSY:
                return RateLimited(self.name, retry_after=error.retry_after)
        return submission_error(self.name, error)


@dataclass(frozen=True, slots=True)
class _Detail:
    """The vendor's word for an error; `suggests`: it proposes a prompt that it would take."""

    code: str = ""
    suggests: bool = False


def _detail(answer: Answer) -> _Detail:
    """`detail` is an object, a list of fields, or a sentence."""
    try:
        body = answer.json()
    except UnusableBody:
        return _Detail()
    match body:
        case {"detail": dict(detail)}:
            code = detail.get("status") or detail.get("code")
            return _Detail(code if isinstance(code, str) else "", _suggests(detail))
        case _:
            return _Detail()


def _suggests(detail: Mapping[str, Any]) -> bool:
    # The shape is unconfirmed: in the detail itself or in an object in it.
    data = detail.get("data")
    return any("suggestion" in name for name in (*detail, *(data if isinstance(data, dict) else ())))


def _cost(answer: Answer, listed: Decimal, model: SoundModel) -> Cost:
    """By the credits that were taken; `listed`: by the price of what was asked, where they aren't told."""
    taken = answer.headers.get("character-cost", "").strip()
    known = model.credits_per_unit is not None and _CREDITS.fullmatch(taken)
    return Cost(amount=model.cost(vendor_credits=Decimal(taken)) if known else listed, currency="USD")


def _request_id(answer: Answer) -> str:
    return answer.headers.get("request-id", "")[:100]
