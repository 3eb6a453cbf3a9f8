"""Vendors of language models as local HTTP servers, as strict as their documentation.

What a model says is scripted: `with Groq(key="…") as groq: groq.answers("{}", Failure(429, retry_after=2))`. They
share no code with the adapters; the vendors' own clients hold them to the truth (tests/providers/language).
"""

from .gemini import Gemini
from .groq import Groq
from .server import CutOff, Drip, Failure, HangUp, Raw, Request, Silence, Speech, StreamError, Words, huge
from .xai import Xai

__all__ = [
    "CutOff",
    "Drip",
    "Failure",
    "Gemini",
    "Groq",
    "HangUp",
    "Raw",
    "Request",
    "Silence",
    "Speech",
    "StreamError",
    "Words",
    "Xai",
    "huge",
]
