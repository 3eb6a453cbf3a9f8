"""Vendors of language models and of sounds as local HTTP servers, as strict as their documentation.

What a model says is scripted: `with Groq(key="…") as groq: groq.answers("{}", Failure(429, retry_after=2))`. They
share no code with the adapters; the vendors' own clients hold them to the truth (tests/providers).
"""

from .elevenlabs import ElevenLabs
from .fal import Fal, JobFailure
from .gemini import Gemini
from .groq import Groq
from .server import (
    Audio,
    CutOff,
    Drip,
    Failure,
    HangUp,
    Raw,
    Request,
    Silence,
    Speech,
    StreamError,
    Words,
    huge,
)
from .xai import Xai

__all__ = [
    "Audio",
    "CutOff",
    "Drip",
    "ElevenLabs",
    "Failure",
    "Fal",
    "Gemini",
    "Groq",
    "HangUp",
    "JobFailure",
    "Raw",
    "Request",
    "Silence",
    "Speech",
    "StreamError",
    "Words",
    "Xai",
    "huge",
]
