"""The prices a new installation starts with: each becomes version 1 of its rate card."""

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType

from django.db import connections

from .models import Modifier, RateCard
from .rate_cards import RateCardDraft

_ALL = tuple(Modifier.values)
_LUMA = RateCardDraft(
    resolution_credits={"720p": 20, "1080p": 30, "4K": 50},
    base_seconds=10,
    style_credits={"cinematic": 10, "artistic": 5, "commercial": 0, "realistic": 0},
    vendor_cost=Decimal("0.142"),
)
_VOICE = RateCardDraft(vendor_cost=Decimal("0.08"), vendor_unit="1000_characters")
_QUICK_VOICE = RateCardDraft(vendor_cost=Decimal("0.04"), vendor_unit="1000_characters")
_EFFECT = RateCardDraft(vendor_cost=Decimal("0.008"))
_MUSIC = RateCardDraft(vendor_cost=Decimal("0.0125"))
_KIE_SORA = RateCardDraft(base_credits=100, base_seconds=10, vendor_cost=Decimal("0.015"))

CARDS: Mapping[str, RateCardDraft] = MappingProxyType(
    {
        "sandbox/motion-1": RateCardDraft(base_credits=100, base_seconds=5, modifiers=_ALL),
        "sandbox/motion-fast": RateCardDraft(base_credits=40, base_seconds=4, modifiers=_ALL),
        "sandbox/motion-pro": RateCardDraft(base_credits=300, base_seconds=8, modifiers=_ALL),
        "sandbox/classic": RateCardDraft(base_credits=50, base_seconds=5, modifiers=_ALL),
        "modelslab/veo-3": RateCardDraft(base_credits=2500, base_seconds=8, modifiers=_ALL),
        "modelslab/veo-2": RateCardDraft(base_credits=2200, base_seconds=8, modifiers=_ALL),
        "modelslab/text-to-video-ultra": RateCardDraft(
            base_credits=1300,
            base_seconds=8,
            modifiers=_ALL,
            vendor_cost=Decimal("0.20"),
            vendor_unit="call",
        ),
        "modelslab/wan-2.2-t2v": RateCardDraft(
            base_credits=1200,
            base_seconds=10,
            modifiers=_ALL,
            vendor_cost=Decimal("0.20"),
            vendor_unit="call",
        ),
        "modelslab/seedance-t2v": RateCardDraft(base_credits=400, base_seconds=5, modifiers=_ALL),
        # ModelsLab shows the prices of v7 in its console only: each is unconfirmed, a cautious estimate by the call of
        # the longest clip.
        "modelslab/veo-3.1": RateCardDraft(vendor_cost=Decimal("3.20"), vendor_unit="call"),
        "modelslab/wan-2.6": RateCardDraft(vendor_cost=Decimal("0.60"), vendor_unit="call"),
        "modelslab/hailuo-2.3": RateCardDraft(vendor_cost=Decimal("0.60"), vendor_unit="call"),
        "modelslab/kling-2.5-turbo": RateCardDraft(vendor_cost=Decimal("0.80"), vendor_unit="call"),
        "modelslab/seedance-1.5-pro": RateCardDraft(vendor_cost=Decimal("0.60"), vendor_unit="call"),
        "modelslab/gen4-aleph": RateCardDraft(vendor_cost=Decimal("1.00"), vendor_unit="call"),
        "modelslab/ltx-2.3-pro": RateCardDraft(vendor_cost=Decimal("0.80"), vendor_unit="call"),
        "modelslab/sora-2": RateCardDraft(vendor_cost=Decimal("1.20"), vendor_unit="call"),
        "edenai/runway-gen-3": RateCardDraft(base_credits=750, base_seconds=10, modifiers=_ALL),
        "edenai/kling-2.5": RateCardDraft(base_credits=500, base_seconds=5, modifiers=_ALL),
        "edenai/nova-reel": RateCardDraft(
            base_credits=400, base_seconds=6, modifiers=_ALL, vendor_cost=Decimal("0.08")
        ),
        # Two documents of Eden AI's disagree: Hailuo 2.3 is 0.084 in one, 0.28 in another; Seedance is cheaper there.
        "edenai/hailuo-2.3": RateCardDraft(vendor_cost=Decimal("0.28"), vendor_unit="call"),
        "edenai/hailuo-02": RateCardDraft(vendor_cost=Decimal("0.28"), vendor_unit="call"),
        "edenai/seedance-2": RateCardDraft(vendor_cost=Decimal("0.147")),
        "edenai/seedance-1-pro-fast": RateCardDraft(vendor_cost=Decimal("0.022")),
        "luma/ray-2": _LUMA,
        "luma/ray-flash-2": _LUMA,
        "luma/ray-1-6": _LUMA,
        # Unconfirmed, and by resolution, length and HDR from 0.03 to 0.48 a second: a third of the dearest, so that a
        # markup of 3 sells none below its cost.
        "luma-agents/ray-3.2": RateCardDraft(vendor_cost=Decimal("0.16")),
        "kie/sora-2-text-to-video": _KIE_SORA,
        "kie/sora-2-image-to-video": _KIE_SORA,
        # Kie, of June 2026: Seedance 1.5 Pro at 1080p with sound, Grok Imagine 1.5 from an image at 720p.
        "kie/seedance-1.5-pro": RateCardDraft(vendor_cost=Decimal("0.075")),
        "kie/grok-imagine-1.5": RateCardDraft(vendor_cost=Decimal("0.015")),
        # Unconfirmed: cautious estimates from its prices of neighbouring models; 4K is within the markup.
        "kie/seedance-2": RateCardDraft(vendor_cost=Decimal("0.30")),
        "kie/kling-2.6": RateCardDraft(vendor_cost=Decimal("0.1125")),
        "kie/wan-2.7": RateCardDraft(vendor_cost=Decimal("0.15")),
        "kie/grok-imagine": RateCardDraft(vendor_cost=Decimal("0.03")),
        "kie/gemini-omni": RateCardDraft(vendor_cost=Decimal("0.30")),
        "kie/veo3": RateCardDraft(vendor_cost=Decimal("2.00"), vendor_unit="call"),
        "kie/veo3-fast": RateCardDraft(vendor_cost=Decimal("0.60"), vendor_unit="call"),
        # Runway: a credit is a cent. Veo with its sound, of April 2026; Aleph 2 by a secondary source; of what is
        # retired, gen3a_turbo's price is unconfirmed.
        "runway/gen4.5": RateCardDraft(vendor_cost=Decimal("0.12")),
        "runway/gen4_turbo": RateCardDraft(vendor_cost=Decimal("0.05")),
        "runway/veo3.1": RateCardDraft(vendor_cost=Decimal("0.40")),
        "runway/veo3.1_fast": RateCardDraft(vendor_cost=Decimal("0.15")),
        "runway/aleph2": RateCardDraft(vendor_cost=Decimal("0.28")),
        "runway/gen3a_turbo": RateCardDraft(vendor_cost=Decimal("0.05")),
        "runway/gen4_aleph": RateCardDraft(vendor_cost=Decimal("0.15")),
        "runway/veo3": RateCardDraft(vendor_cost=Decimal("0.40")),
        # D-ID, by its Advanced plan, per second of the steps of 15 [a third party's table; unconfirmed].
        "d-id/talk": RateCardDraft(vendor_cost=Decimal("0.0767")),
        # xAI at 720p; 1080p costs 0.25 there, which the markup covers, and inputs a little more.
        "xai/grok-imagine-video": RateCardDraft(vendor_cost=Decimal("0.07")),
        "xai/grok-imagine-video-1.5": RateCardDraft(vendor_cost=Decimal("0.14")),
        # Google, at 720p with sound: 4K costs half as much again (Fast: three times as much), which the markup covers.
        # Unconfirmed: Omni's, by a preview's list, and Veo 2's.
        "vertex/veo-3.1": RateCardDraft(vendor_cost=Decimal("0.40")),
        "vertex/veo-3.1-fast": RateCardDraft(vendor_cost=Decimal("0.10")),
        "vertex/veo-3.1-lite": RateCardDraft(vendor_cost=Decimal("0.05")),
        "gemini-omni/1.2-flash": RateCardDraft(vendor_cost=Decimal("0.07")),
        "gemini-omni/1.1-flash": RateCardDraft(vendor_cost=Decimal("0.10")),
        "gemini-veo/veo-3.1-preview": RateCardDraft(vendor_cost=Decimal("0.40")),
        "gemini-veo/veo-3": RateCardDraft(vendor_cost=Decimal("0.40")),
        "gemini-veo/veo-3-fast": RateCardDraft(vendor_cost=Decimal("0.15")),
        "gemini-veo/veo-2": RateCardDraft(vendor_cost=Decimal("0.35")),
        # OpenAI, closed: its last public prices, the dearest size of each; 1080p of the pro model is unconfirmed.
        "openai/sora-2": RateCardDraft(vendor_cost=Decimal("0.10")),
        "openai/sora-2-pro": RateCardDraft(vendor_cost=Decimal("0.70")),
        # Replicate: its own prices are not in our sources. Hailuo as MiniMax sells it, 6 s at 1080p, the dearest size;
        # Stable Video Diffusion by hardware, about a minute of it a call [unconfirmed].
        "replicate/hailuo-02": RateCardDraft(vendor_cost=Decimal("0.082")),
        "replicate/hailuo-2.3": RateCardDraft(vendor_cost=Decimal("0.082")),
        "replicate/stable-video-diffusion": RateCardDraft(vendor_cost=Decimal("0.10"), vendor_unit="call"),
        # Sounds: what the vendor asks, as providers.catalogue.sound has it from its sources.
        "elevenlabs/eleven_multilingual_v2": _VOICE,
        "elevenlabs/eleven_v4": _VOICE,
        "elevenlabs/eleven_v3": _VOICE,
        "elevenlabs/eleven_v4_turbo": _QUICK_VOICE,
        "elevenlabs/eleven_flash_v2_5": _QUICK_VOICE,
        "elevenlabs/eleven_text_to_sound_v2": _EFFECT,
        "elevenlabs/eleven_text_to_sound_v3": _EFFECT,
        "elevenlabs/music_v1": _MUSIC,
        "elevenlabs/music_v2": _MUSIC,
        "elevenlabs/music_v2_5": _MUSIC,
        "mmaudio/v2": RateCardDraft(vendor_cost=Decimal("0.001")),
        "sandbox/voice": RateCardDraft(base_credits=10),
        "sandbox/effects": RateCardDraft(base_credits=10),
        "sandbox/music": RateCardDraft(base_credits=20),
    }
)


def seed(using: str = "default") -> list[str]:
    """Write the cards of subjects that have none; answers their names. Prices that operators set are left alone."""
    if RateCard._meta.db_table not in connections[using].introspection.table_names():
        return []
    rows = RateCard.objects.using(using)
    known = set(rows.filter(subject__in=CARDS).values_list("subject", flat=True))
    missing = [subject for subject in CARDS if subject not in known]
    rows.bulk_create(
        [
            draft.row(subject, version=1, operator_id=None)
            for subject, draft in CARDS.items()
            if subject in missing
        ],
        ignore_conflicts=True,
    )
    return missing
