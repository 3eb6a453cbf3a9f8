"""What renders look like to a client."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from credits.models import Hold
from generations import assets
from generations.api import representation
from generations.api.representation import money
from generations.kinds import GENERATION
from generations.models import Asset, Generation
from pipeline import versions
from pipeline.kinds import RENDER, SEGMENT, SOUND
from pipeline.models import FilmSound, Render, RenderSegment, RenderStatus, SegmentState
from pipeline.prices import Price
from pipeline.renders import findings, transitions
from pipeline.renders.control import Consequence, stale_segments
from pipeline.renders.pace import composing_seconds
from workers import jobs
from workers.models import Job

# What a segment is at, in a client's words.
SEGMENT_STAGES = (
    "blocked", "waiting", "queued", "checking", "generating", "delivering", "conforming", "ready",
    "cancelling",
)  # fmt: skip
RENDER_STAGES = ("generating", "paused", "needs_attention", "composing", "cancelling")


def price(one: Price, balance: int) -> dict[str, Any]:
    """What a render costs, part by part."""
    earliest, typical, late = one.eta_seconds
    return {
        "credits": one.credits,
        "money": money(one.credits),
        "balance": balance,
        "affordable": balance >= one.credits,
        "parts": [
            {
                "part": part.label,
                "model": part.model,
                "credits": part.credits,
                "reused": part.reuses is not None,
                "alternatives": [
                    {"model": other.model, "credits": min(other.credits, part.credits)}
                    for other in part.alternatives
                ],
                "breakdown": list(part.breakdown),
            }
            for part in one.parts
        ],
        "eta": {"earliest_seconds": earliest, "typical_seconds": typical, "late_seconds": late},
    }


def summary(one: Render, job: Job | None) -> dict[str, Any]:
    """A render in a list."""
    open_ = one.ended_at is None
    return {
        "id": str(one.id),
        "job": str(one.job_id),
        "project": str(one.project_id),
        "version": one.version.number,
        "status": one.status,
        "stage": jobs.label_of(job) if job is not None and open_ else None,
        "progress": 100 if one.status == RenderStatus.COMPLETED else job.progress if job is not None else 0,
        "eta_at": job.eta_at if job is not None and open_ else None,
        "credits_quoted": one.credits_quoted,
        "error": {"code": one.error_code, "message": one.error_message} if one.error_code else None,
        "created_at": one.created_at,
        "ended_at": one.ended_at,
        "expires_at": one.film.expires_at if one.film is not None else None,
    }


def render(one: Render, now: datetime) -> dict[str, Any]:
    """A render with each of its parts. Seven statements, however many segments it has."""
    rows = list(one.segments.order_by("position"))
    sounds = list(one.sounds.order_by("created_at", "id"))
    clips = Generation.objects.select_related("output").in_bulk([row.generation_id for row in rows])
    plan = versions.film_of(one.version)
    working = _jobs(one, rows, sounds)
    job = working.get(one.id) or Job.objects.filter(id=one.job_id).first()
    stale = stale_segments(plan, rows)
    holds = {
        hold.id: hold
        for hold in Hold.objects.filter(
            id__in=[one.hold_id, *(row.hold_id for row in rows if row.hold_id is not None)]
        )
    }
    held = sum(hold.amount for hold in holds.values() if hold.state == Hold.State.OPEN)
    own = holds[one.hold_id]
    used = transitions.used_by_clips(one) + own.captured
    return {
        **summary(one, job),
        "eta": _eta(one, job, plan.seconds, now),
        "credits": {
            "quoted": one.credits_quoted,
            "held": held,
            "used": used,
            "released": one.credits_quoted - used - held,
            "quoted_money": money(one.credits_quoted),
        },
        "segments": [
            {
                **_segment(row, clips.get(row.generation_id), working, now),
                "stale": row.name in stale,
                "story": plan.segments[row.position].story,
                "seconds": plan.segments[row.position].seconds,
                "starts_at_seconds": start,
            }
            for row, start in zip(rows, plan.starts(), strict=True)
        ],
        "sounds": [sound(row) for row in sounds],
        "findings": [
            {"code": found.code, "segment": found.segment, "message": found.message}
            for found in findings.of_render(plan, sounds)
        ],
        "film": film(one.film, one.vtt_key, one.srt_key, now),
        "timings": one.timings,
        "paused_at": one.paused_at,
        "waits_until": one.waits_until,
    }


def consequences(found: list[Consequence]) -> dict[str, Any]:
    """What cancelling would do."""
    return {
        "returned": sum(one.returned for one in found),
        "charged": sum(one.charged for one in found),
        "undecided": sum(one.undecided for one in found),
        "parts": [
            {
                "part": one.label,
                "returned": one.returned,
                "charged": one.charged,
                "undecided": one.undecided,
            }
            for one in found
        ],
    }


def _jobs(one: Render, rows: list[RenderSegment], sounds: list[FilmSound]) -> Mapping[UUID, Job]:
    """The open jobs of a render and its parts, by what they are about. One statement."""
    subjects = [
        one.id,
        *(row.id for row in rows),
        *(row.generation_id for row in rows),
        *(sound.id for sound in sounds),
    ]
    found = Job.objects.filter(
        kind__in=[GENERATION, RENDER, SEGMENT, SOUND],
        subject_id__in=subjects,
        ended_at__isnull=True,
    )
    return {job.subject_id: job for job in found}


def _eta(one: Render, job: Job | None, seconds: float, now: datetime) -> dict[str, Any] | None:
    """When it is likely to be finished; None while it waits for its owner, or has ended."""
    if one.ended_at is not None or job is None or job.eta_at is None:
        return None
    if one.status in (RenderStatus.PAUSED, RenderStatus.NEEDS_ATTENTION):
        return None
    left = max(timedelta(0), job.eta_at - now)
    composing = timedelta(seconds=seconds * composing_seconds())
    return {
        "earliest_at": now + max(left / 2, min(left, composing / 2)),
        "typical_at": now + left,
        "late_at": now + max(left, composing) * 2,
    }


def _segment(
    row: RenderSegment, clip: Generation | None, working: Mapping[UUID, Job], now: datetime
) -> dict[str, Any]:
    making, preparing = working.get(row.generation_id), working.get(row.id)
    output = clip.output if clip is not None and clip.output_id is not None else None
    return {
        "segment": row.name,
        "position": row.position + 1,
        "status": row.state,
        "stage": _stage(row, making, preparing),
        "progress": _progress(row, making),
        "eta_at": making.eta_at if making is not None else None,
        "generation": str(row.generation_id) if clip is not None else None,
        "model": row.part["model"],
        "made_by": clip.model if clip is not None and clip.output_id is not None else None,
        "reused": row.reused,
        "credits": {
            "quoted": row.part["credits"],
            "used": clip.credits_used if clip is not None and not row.reused else 0,
        },
        "error": {"code": row.error_code, "message": row.error_message} if row.error_code else None,
        "video": representation.asset(output, now) if output is not None else None,
    }


def _stage(row: RenderSegment, making: Job | None, preparing: Job | None) -> str | None:
    match row.state:
        case SegmentState.BLOCKED:
            return "blocked"
        case SegmentState.PENDING:
            return "waiting"
        case SegmentState.PROCESSING:
            return jobs.label_of(making) if making is not None else "queued"
        case SegmentState.COMPLETED:
            return "ready" if row.conformed_at is not None else "conforming"
        case _:
            return None


def _progress(row: RenderSegment, making: Job | None) -> int:
    if row.state == SegmentState.COMPLETED:
        return 100
    return making.progress if making is not None else 0


def sound(one: FilmSound) -> dict[str, Any]:
    """A sound of a render, or of an edit."""
    return {
        "kind": one.kind,
        "segment": one.segment or None,
        "text": one.text,
        "status": one.state,
        "model": one.model,
        "reused": one.reused,
        "credits": one.credits,
        "seconds": one.made_seconds,
        "error": {"code": one.error_code, "message": one.error_message} if one.error_code else None,
    }


def film(one: Asset | None, vtt_key: str, srt_key: str, now: datetime) -> dict[str, Any] | None:
    """A finished film, with its captions as files; links live for minutes."""
    if one is None:
        return None
    return {
        **representation.asset(one, now),
        "captions_vtt_url": assets.file_url(one, vtt_key, now, name="captions.vtt", media_type="text/vtt"),
        "captions_srt_url": assets.file_url(
            one, srt_key, now, name="captions.srt", media_type="application/x-subrip"
        ),
    }
