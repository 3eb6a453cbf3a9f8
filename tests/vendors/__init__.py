"""Vendors of language models and of sounds as local HTTP servers, as strict as their documentation.

What a model says is scripted: `with Groq(key="…") as groq: groq.answers("{}", Failure(429, retry_after=2))`. They
share no code with the adapters; the vendors' own clients hold them to the truth (tests/providers).
"""

from .d_id import DId
from .edenai import EdenAI
from .elevenlabs import ElevenLabs
from .fal import Fal, JobFailure
from .gemini import Gemini
from .gemini_omni import GeminiOmni
from .gemini_veo import GeminiVeo
from .groq import Groq
from .kie import Kie
from .luma import Luma
from .luma_agents import LumaAgents
from .modelslab import ModelsLab
from .openai import OpenAIVideos
from .replicate import Replicate
from .runway import Runway
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
from .vertex import Vertex
from .video import VideoVendor
from .xai import Xai
from .xai_video import XaiVideo

# Those of videos, by the provider's name in the registry. A vendor outside this project adds its own.
VIDEO_VENDORS: dict[str, type[VideoVendor]] = {
    "luma": Luma,
    "luma-agents": LumaAgents,
    "runway": Runway,
    "vertex": Vertex,
    "gemini-omni": GeminiOmni,
    "xai": XaiVideo,
    "replicate": Replicate,
    "kie": Kie,
    "modelslab": ModelsLab,
    "edenai": EdenAI,
    "d-id": DId,
    "openai": OpenAIVideos,
    "gemini-veo": GeminiVeo,
}

__all__ = [
    "VIDEO_VENDORS",
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
    "Kie",
    "Luma",
    "LumaAgents",
    "ModelsLab",
    "Raw",
    "Request",
    "Silence",
    "Speech",
    "StreamError",
    "Words",
    "Xai",
    "huge",
]
