"""Models that make voices, effects and music, and what they cost.

Facts and prices as the vendors' SDKs and documentation, and public price pages, gave them in 2026-11. What a source
did not confirm is said in `source`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import Literal

Unit = Literal["1000_characters", "second", "call"]

# $6 for 30,000 credits (Starter, 2026-09): the dearest of the paid plans, so that nothing is sold below its cost.
USD_PER_PLAN_CREDIT = Decimal("0.0002")
EFFECT_CREDITS_PER_SECOND = 40


class SoundKind(StrEnum):
    VOICE = "voice"
    EFFECT = "effect"
    MUSIC = "music"


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundModel:
    """What one model of one vendor can do and costs."""

    id: str
    """Ours, stable: "<provider>/<name>"."""
    provider: str
    vendor_model: str
    name: str
    description: str
    kind: SoundKind
    max_characters: int
    """Of the text of one request."""
    min_seconds: float = 0.0
    """What is shorter is made this long."""
    max_seconds: float
    price: Decimal
    """USD per `unit`."""
    unit: Unit
    credits_per_unit: int | None = None
    """How many of its own credits the vendor takes for a unit; None: not known."""
    expected_seconds: timedelta
    """How long a call typically takes."""
    concurrent: int
    """Calls at once that the vendor's smallest paid plan allows."""
    sees_video: bool = False
    """Whether it makes an effect for the picture that it belongs to, which must be there first."""
    licence: str
    """What may be done with the sounds."""
    source: str

    def seconds_made(self, seconds: float) -> float:
        """How long a sound is asked for, and charged, where so many seconds are needed."""
        return max(float(seconds), self.min_seconds)

    def cost(
        self, *, characters: int = 0, seconds: float = 0.0, vendor_credits: Decimal | None = None
    ) -> Decimal:
        """USD, unrounded: by the credits that the vendor says it took, else by its price for what was asked."""
        if vendor_credits is not None and self.credits_per_unit is not None:
            return self.price * vendor_credits / self.credits_per_unit
        match self.unit:
            case "1000_characters":
                return self.price * characters / 1000
            case "second":
                return self.price * Decimal(str(seconds))
            case "call":
                return self.price


PAID_PLAN = "Commercial use needs one of the vendor's paid plans."
NOT_COMMERCIAL = (
    "The weights are CC-BY-NC 4.0, not for commercial use: used only where the operator has accepted that."
)
OURS = "Made by this system: free to use."


def _elevenlabs_voice(
    name: str, title: str, description: str, *, characters: int, price: str, credits: int, source: str = ""
) -> SoundModel:
    return SoundModel(
        id=f"elevenlabs/{name}",
        provider="elevenlabs",
        vendor_model=name,
        name=title,
        description=description,
        kind=SoundKind.VOICE,
        max_characters=characters,
        # About 1,000 characters a minute.
        max_seconds=characters * 0.06,
        price=Decimal(price),
        unit="1000_characters",
        credits_per_unit=credits,
        expected_seconds=timedelta(seconds=4),
        concurrent=3 if credits == 1000 else 6,
        licence=PAID_PLAN,
        source=f"The vendor's price page, 2026-11. {source}".strip(),
    )


def _elevenlabs_effect(name: str, title: str) -> SoundModel:
    return SoundModel(
        id=f"elevenlabs/{name}",
        provider="elevenlabs",
        vendor_model=name,
        name=title,
        description="Sound effects from words.",
        kind=SoundKind.EFFECT,
        max_characters=450,
        min_seconds=0.5,
        max_seconds=30.0,
        price=EFFECT_CREDITS_PER_SECOND * USD_PER_PLAN_CREDIT,
        unit="second",
        credits_per_unit=EFFECT_CREDITS_PER_SECOND,
        expected_seconds=timedelta(seconds=8),
        concurrent=3,
        licence=PAID_PLAN,
        source="Price unconfirmed: 40 credits a second (2025-08) at the dearest plan's credit. So is the longest text.",
    )


def _elevenlabs_music(name: str, title: str) -> SoundModel:
    return SoundModel(
        id=f"elevenlabs/{name}",
        provider="elevenlabs",
        vendor_model=name,
        name=title,
        description="Instrumental music from words.",
        kind=SoundKind.MUSIC,
        max_characters=4_100,
        min_seconds=3.0,
        max_seconds=600.0,
        price=Decimal("0.0125"),
        unit="second",
        expected_seconds=timedelta(seconds=30),
        concurrent=2,
        licence=f"{PAID_PLAN} Its music terms name the uses.",
        source="Price unconfirmed: $0.75 a minute, the most that resellers ask; credits not published. So is the"
        " longest text, which is that of music for a video.",
    )


def _sandbox(name: str, title: str, description: str, kind: SoundKind, seconds: float) -> SoundModel:
    return SoundModel(
        id=f"sandbox/{name}",
        provider="sandbox",
        vendor_model=name,
        name=title,
        description=description,
        kind=kind,
        max_characters=5_000,
        min_seconds=0.0 if kind is SoundKind.VOICE else 0.5,
        max_seconds=seconds,
        price=Decimal("0.001"),
        unit="call",
        expected_seconds=timedelta(seconds=2),
        concurrent=100,
        licence=OURS,
        source="providers/sandbox",
    )


_V4 = "The longest text is a third party's word."
_MODELS: Sequence[SoundModel] = (
    _elevenlabs_voice(
        "eleven_multilingual_v2",
        "ElevenLabs Multilingual v2",
        "Natural, even voices in many languages.",
        characters=10_000,
        price="0.08",
        credits=1000,
    ),
    _elevenlabs_voice(
        "eleven_v4",
        "ElevenLabs v4",
        "The newest voices.",
        characters=10_000,
        price="0.08",
        credits=1000,
        source=_V4,
    ),
    _elevenlabs_voice(
        "eleven_v3",
        "ElevenLabs v3",
        "The most expressive voices.",
        characters=3_000,
        price="0.08",
        credits=1000,
        source="The longest text grew to 5,000 later, unconfirmed.",
    ),
    _elevenlabs_voice(
        "eleven_v4_turbo",
        "ElevenLabs v4 Turbo",
        "The newest voices, quick, at half the price.",
        characters=10_000,
        price="0.04",
        credits=500,
        source=_V4,
    ),
    _elevenlabs_voice(
        "eleven_flash_v2_5",
        "ElevenLabs Flash v2.5",
        "Quick voices at half the price.",
        characters=40_000,
        price="0.04",
        credits=500,
    ),
    _elevenlabs_effect("eleven_text_to_sound_v2", "ElevenLabs Sound Effects v2"),
    _elevenlabs_effect("eleven_text_to_sound_v3", "ElevenLabs Sound Effects v3"),
    _elevenlabs_music("music_v1", "ElevenLabs Music v1"),
    _elevenlabs_music("music_v2", "ElevenLabs Music v2"),
    _elevenlabs_music("music_v2_5", "ElevenLabs Music v2.5"),
    SoundModel(
        id="mmaudio/v2",
        provider="mmaudio",
        vendor_model="fal-ai/mmaudio-v2",
        name="MMAudio v2",
        description="Sounds that fit a silent clip, or words alone. Best at about 8 s; no speech, no music.",
        kind=SoundKind.EFFECT,
        max_characters=2_000,
        min_seconds=1.0,
        max_seconds=30.0,
        price=Decimal("0.001"),
        unit="second",
        expected_seconds=timedelta(seconds=15),
        concurrent=2,
        sees_video=True,
        licence=NOT_COMMERCIAL,
        source="fal's description of the model, 2026-11. The longest text and the calls at once are ours.",
    ),
    _sandbox(
        "voice",
        "Sandbox Voice",
        "A free synthetic voice whose syllables follow the text.",
        SoundKind.VOICE,
        1_800.0,
    ),
    _sandbox(
        "effects", "Sandbox Effects", "Free noises and tones that the words choose.", SoundKind.EFFECT, 60.0
    ),
    _sandbox("music", "Sandbox Music", "A free chord loop that the words choose.", SoundKind.MUSIC, 600.0),
)

SOUND_MODELS: Mapping[str, SoundModel] = MappingProxyType({model.id: model for model in _MODELS})


def sound_model(provider: str, vendor_model: str) -> SoundModel | None:
    """The model by its vendor's own name of it; None where the catalogue has none."""
    return next(
        (one for one in _MODELS if (one.provider, one.vendor_model) == (provider, vendor_model)), None
    )
