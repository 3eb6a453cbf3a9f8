"""The sandbox's sounds; its API is in `providers/sandbox/__init__.py`."""

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, ClassVar, Self

from providers.catalogue.sound import SoundKind
from providers.contract import Cost
from providers.errors import FailureCode, OutcomeUnknown
from providers.http import BadStatus, Client, HttpError, UnusableBody
from providers.submission import submission_error

from . import words
from .contract import EffectRequest, MadeSound, MusicRequest, SoundProvider, SpeechRequest
from .envelope import Unreadable, take_apart
from .files import MOST_BYTES, NoSound, arriving, keep
from .limits import model_for
from .transport import client_for

MOST_ANSWER_BYTES = MOST_BYTES * 4 // 3 + (1 << 20)
NO_CONTROLS: Mapping[str, object] = {}


class SandboxSoundProvider(SoundProvider):
    name = "sandbox"
    settings: ClassVar[Sequence[str]] = ("SANDBOX_URL", "SANDBOX_API_KEY")

    def __init__(
        self,
        *,
        url: str,
        api_key: str,
        http: Client | None = None,
        controls: Mapping[str, object] = NO_CONTROLS,
    ) -> None:
        """`controls` go with every order, for tests: `{"fault": "slow"}`; `http` replaces the client."""
        self._url = url.rstrip("/")
        self._http = http or client_for(url)
        self._headers = {"Authorization": f"Bearer {api_key}"}
        self._controls = dict(controls)

    @classmethod
    def from_settings(cls, values: Mapping[str, str]) -> Self:
        url, api_key = (values[name] for name in cls.settings)
        return cls(url=url, api_key=api_key)

    def speak(self, request: SpeechRequest, target: Path) -> MadeSound:
        """In any voice: its name chooses the pitch."""
        model_for(self.name, request.model, SoundKind.VOICE, text=request.text)
        return self._made("/v1/speech", {"text": request.text, "voice": request.voice}, target)

    def make_effect(self, request: EffectRequest, target: Path) -> MadeSound:
        """From the words alone."""
        model = model_for(
            self.name, request.model, SoundKind.EFFECT, text=request.text, seconds=request.seconds
        )
        order = {"text": request.text, "seconds": model.seconds_made(request.seconds)}
        return self._made("/v1/effects", order, target)

    def make_music(self, request: MusicRequest, target: Path) -> MadeSound:
        model = model_for(
            self.name, request.model, SoundKind.MUSIC, text=request.text, seconds=request.seconds
        )
        order = {"text": request.text, "seconds": model.seconds_made(request.seconds)}
        return self._made("/v1/music", order, target)

    def _made(self, route: str, order: Mapping[str, object], target: Path) -> MadeSound:
        body = {**order, "sandbox": self._controls}
        with arriving(target, ".json") as envelope, arriving(target) as sound:
            try:
                with envelope.open("wb") as file:
                    self._http.post_to_file(
                        f"{self._url}{route}", body, file, headers=self._headers, max_bytes=MOST_ANSWER_BYTES
                    )
            except HttpError as error:
                raise submission_error(self.name, error, refusal=_refusal(error)) from None
            try:
                rest = take_apart(envelope, sound)
                spoken = words.from_objects(rest.get("words") or ())
                path, media_type = keep(sound, target)
            except (Unreadable, NoSound, words.NoTimes):
                raise OutcomeUnknown(self.name) from None
        return MadeSound(
            path=path,
            media_type=media_type,
            words=spoken,
            cost=_cost(rest),
            request_id=str(rest.get("id") or ""),
        )


def _refusal(error: HttpError) -> FailureCode:
    if isinstance(error, BadStatus):
        try:
            match error.answer.json():
                case {"error": {"code": "content_policy"}}:
                    return FailureCode.MODERATED
        except UnusableBody:
            pass
    return FailureCode.INVALID


def _cost(answer: Mapping[str, Any]) -> Cost | None:
    match answer.get("cost"):
        case {"amount": str(amount), "currency": str(currency)}:
            try:
                return Cost(amount=Decimal(amount), currency=currency)
            except InvalidOperation:
                return None
        case _:
            return None
