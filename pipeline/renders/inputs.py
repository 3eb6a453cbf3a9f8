"""The files that an unfinished render, or edit of a video, needs: pinned until it has ended, whoever lets go of them."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from generations import assets
from generations.models import AssetState
from pipeline.models import FilmSound, Render, RenderInput, VideoEdit

# Longer than a render may be paused and take; lifted when it ends.
PINNED_FOR = timedelta(days=14)


def keep(whole: Render | VideoEdit, asset_ids: Collection[UUID], now: datetime) -> None:
    """Pin these files until it has ended. Raises AssetNotFound for one that was deleted meanwhile.

    Of an edit, only its source and its sounds: those that its rows name.
    """
    wanted = sorted(set(asset_ids))
    if not wanted:
        return
    if isinstance(whole, Render):
        RenderInput.objects.bulk_create(
            [RenderInput(render=whole, asset_id=asset_id) for asset_id in wanted], ignore_conflicts=True
        )
    assets.pin(wanted, now + PINNED_FOR)


def renew(render: Render, now: datetime) -> None:
    """Keep for another while what the render has pinned: it may wait for its owner again and again."""
    kept = RenderInput.objects.filter(render=render, asset__state=AssetState.READY)
    assets.pin(sorted(kept.values_list("asset_id", flat=True)), now + PINNED_FOR)


def let_go(whole: Render | VideoEdit) -> None:
    """It has ended: what nothing else needs is pinned no more. In the transaction that ends it."""
    if isinstance(whole, Render):
        kept = list(RenderInput.objects.filter(render=whole).values_list("asset_id", flat=True))
    else:
        kept = [whole.source_id]
        kept += whole.sounds.filter(asset__isnull=False).values_list("asset_id", flat=True)
    assets.unpin(kept)


def needed(asset_ids: Sequence[UUID]) -> set[UUID]:
    """Of these files, those that an unfinished render or edit needs. One statement, by index: a keeper of assets."""
    ids = list(asset_ids)
    of_renders = RenderInput.objects.filter(asset_id__in=ids, render__ended_at__isnull=True)
    sources = VideoEdit.objects.filter(source_id__in=ids, ended_at__isnull=True)
    sounds = FilmSound.objects.filter(asset_id__in=ids, edit__isnull=False, edit__ended_at__isnull=True)
    return set(
        of_renders.values_list("asset_id", flat=True).union(
            sources.values_list("source_id", flat=True), sounds.values_list("asset_id", flat=True)
        )
    )
