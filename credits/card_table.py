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
        "edenai/runway-gen-3": RateCardDraft(base_credits=750, base_seconds=10, modifiers=_ALL),
        "edenai/kling-2.5": RateCardDraft(base_credits=500, base_seconds=5, modifiers=_ALL),
        "edenai/nova-reel": RateCardDraft(
            base_credits=400, base_seconds=6, modifiers=_ALL, vendor_cost=Decimal("0.08")
        ),
        "luma/ray-2": _LUMA,
        "kie/sora-2-text-to-video": _KIE_SORA,
        "kie/sora-2-image-to-video": _KIE_SORA,
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
