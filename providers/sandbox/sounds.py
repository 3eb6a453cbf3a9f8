"""Sounds as a client orders them, each made while it waits: speech, effects, music."""

import asyncio
import json
import time
from base64 import b64encode
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any, Literal

from .faults import SLOW_SECONDS, Refusals, SoundFault
from .music import RATE as MUSIC_RATE
from .music import play
from .noises import RATE as NOISE_RATE
from .noises import make_noise
from .orders import InvalidOrder, Reader, a_number, a_text, read_value
from .samples import flac
from .voice import RATE as VOICE_RATE
from .voice import SpokenWord, speak

Kind = Literal["speech", "effects", "music"]
AT_ONCE = 2
REMEMBERED = 10_000
COST = "0.0010"
REFUSED_ONCE = frozenset({SoundFault.RATE_LIMITED, SoundFault.SERVER_ERROR})


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundOrder:
    kind: Kind
    text: str
    voice: str = ""
    seconds: float = 0.0
    """Of an effect or of music; speech is as long as it is."""
    fault: SoundFault | None = None
    takes: float = 0.0
    """How long the answer takes at least, in seconds of real time."""

    def digest(self) -> str:
        """The same for equal orders."""
        return sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


def read_sound_order(kind: Kind, body: object) -> SoundOrder:
    """The order in a JSON body; raises InvalidOrder naming the field."""
    if not isinstance(body, dict):
        raise InvalidOrder("body", "must be a JSON object")
    fields: dict[str, Any] = dict(body)
    sandbox = fields.pop("sandbox", {})
    if not isinstance(sandbox, dict):
        raise InvalidOrder("sandbox", "must be an object")
    readers = _FIELDS[kind]
    values = {name: read_value(readers, name, value, name) for name, value in fields.items()}
    for name in ("text",) if kind == "speech" else ("text", "seconds"):
        if name not in values:
            raise InvalidOrder(name, "is required")
    controls = {
        name: read_value(_CONTROLS, name, value, f"sandbox.{name}") for name, value in sandbox.items()
    }
    return SoundOrder(
        kind=kind, **values, fault=controls.get("fault"), takes=float(controls.get("seconds", 0.0))
    )


class Sounds:
    """The service's sounds; call it from one event loop."""

    def __init__(self) -> None:
        self._refusals = Refusals()
        self._accepted: deque[tuple[float, SoundOrder]] = deque(maxlen=REMEMBERED)
        self._places = asyncio.Semaphore(AT_ONCE)

    def refuses(self, order: SoundOrder) -> SoundFault | None:
        """The fault with which this order is refused now; the next equal one is not."""
        if order.fault in REFUSED_ONCE and self._refusals.refuses(order.digest()):
            return order.fault
        return None

    async def make(self, order: SoundOrder) -> dict[str, Any]:
        """The sound as the API answers it."""
        began = time.monotonic()
        self._accepted.append((time.time(), order))
        number = len(self._accepted)
        async with self._places:
            sound, words = await asyncio.to_thread(_made, order)
        slow = SLOW_SECONDS if order.fault is SoundFault.SLOW else 0.0
        await asyncio.sleep(max(order.takes, slow) - (time.monotonic() - began))
        return {
            "id": f"snd_{order.digest()[:12]}_{number}",
            "media_type": "audio/flac",
            "audio_base64": b64encode(sound).decode(),
            "words": [asdict(word) for word in words],
            "cost": {"amount": COST, "currency": "USD"},
        }

    def audit(self, text: str | None) -> list[Mapping[str, object]]:
        """What was accepted since the service began, the oldest first; only of that text, if there is one."""
        return [
            {"kind": order.kind, "text": order.text, "voice": order.voice, "accepted_at": at}
            for at, order in self._accepted
            if text is None or order.text == text
        ]


def _made(order: SoundOrder) -> tuple[bytes, list[SpokenWord]]:
    match order.kind:
        case "speech":
            sound, words = speak(order.text, order.voice)
            return flac(sound, VOICE_RATE), words
        case "effects":
            return flac(make_noise(order.text, order.seconds), NOISE_RATE), []
        case "music":
            return flac(play(order.text, order.seconds), MUSIC_RATE), []


def _fault(value: Any) -> SoundFault:
    try:
        return SoundFault(value)
    except ValueError:
        raise ValueError("is no fault of the sandbox's sounds") from None


_TEXT = a_text(1, 5_000)
_FIELDS: Mapping[Kind, Mapping[str, Reader]] = {
    "speech": {"text": _TEXT, "voice": a_text(0, 200)},
    "effects": {"text": _TEXT, "seconds": a_number(0.5, 60)},
    "music": {"text": _TEXT, "seconds": a_number(0.5, 600)},
}
_CONTROLS: Mapping[str, Reader] = {"fault": _fault, "seconds": a_number(0, 86_400)}
