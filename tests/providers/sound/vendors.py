"""The vendors of sounds side by side: our adapter on a simulator, or on the stack's sandbox, and requests for it."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from providers.contract import InputMedia
from providers.sound.contract import EffectRequest, MadeSound, MusicRequest, SoundProvider, SpeechRequest
from providers.sound.elevenlabs import ElevenLabsProvider
from providers.sound.mmaudio import MMAudioProvider
from providers.sound.sandbox import SandboxSoundProvider
from providers.sound.transport import client_for
from tests.vendors import ElevenLabs, Fal

WORDS = "Welcome to the harbour, where every boat has a story."
SPEECH = SpeechRequest(model="eleven_multilingual_v2", text=WORDS)
EFFECT = EffectRequest(model="eleven_text_to_sound_v2", text="wind over water", seconds=2.5)
MUSIC = MusicRequest(model="music_v1", text="calm piano", seconds=4)
NOISE = EffectRequest(model="fal-ai/mmaudio-v2", text="wind over water", seconds=2.5)
VIDEO = InputMedia(url="https://media.example.com/clip.mp4?signature=abc", media_type="video/mp4")

Call = Callable[[SoundProvider, Path], MadeSound]


def speech(provider: SoundProvider, folder: Path) -> MadeSound:
    return provider.speak(SPEECH, folder / "voice")


def effect(provider: SoundProvider, folder: Path) -> MadeSound:
    return provider.make_effect(EFFECT, folder / "effect")


def music(provider: SoundProvider, folder: Path) -> MadeSound:
    return provider.make_music(MUSIC, folder / "music")


def noise(provider: SoundProvider, folder: Path) -> MadeSound:
    return provider.make_effect(NOISE, folder / "noise")


ELEVENLABS_CALLS: Mapping[str, Call] = {"speech": speech, "effect": effect, "music": music}


def elevenlabs(
    simulator: ElevenLabs, *, key: str | None = None, voice: str = "George", seconds: float = 20
) -> ElevenLabsProvider:
    http = client_for(simulator.url, seconds=seconds)
    return ElevenLabsProvider(key=key or simulator.key, url=simulator.url, voice=voice, http=http)


def mmaudio(
    simulator: Fal, *, key: str | None = None, seconds: float = 20, job_seconds: float = 20
) -> MMAudioProvider:
    return MMAudioProvider(
        key=key or simulator.key,
        url=simulator.url,
        http=client_for(simulator.url, seconds=seconds),
        first_wait_seconds=0.01,
        job_seconds=job_seconds,
    )


def sandbox(*, key: str | None = None, patience: float = 20, **controls: object) -> SandboxSoundProvider:
    """On the stack's service; `controls` make it misbehave."""
    url = os.environ["SANDBOX_URL"]
    return SandboxSoundProvider(
        url=url,
        api_key=key or os.environ["SANDBOX_API_KEY"],
        http=client_for(url, seconds=patience),
        controls=controls,
    )


def posts(simulator: ElevenLabs | Fal) -> int:
    """How many submissions came."""
    return sum(request.method == "POST" for request in simulator.requests)
