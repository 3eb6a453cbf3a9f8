"""What clips, projects, files and models look like to a client."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from credits.money import in_currency
from generations import assets, uploads
from generations.models import Asset, Attempt, AttemptState, Generation, GenerationStatus, Project
from generations.vendor_health import OutOfOrder
from providers import registry
from providers.catalogue import ChoiceControl, NumberControl, VideoModel
from workers import jobs
from workers.models import Job

# What a clip is at, in a client's words: the labels of its stages.
STAGES = ("queued", "checking", "generating", "delivering")


def money(credits: int) -> dict[str, str]:
    """What the credits are worth."""
    value = in_currency(credits)
    return {"amount": str(value.amount), "currency": value.currency}


def asset(one: Asset, now: datetime) -> dict[str, Any]:
    """A stored file; links live for minutes."""
    return {
        "id": str(one.id),
        "kind": one.kind,
        "origin": one.origin,
        "state": "expired" if one.state == "ready" and assets.is_over(one, now) else one.state,
        "name": one.name,
        "media_type": one.media_type,
        "bytes": one.bytes,
        "sha256": one.sha256,
        "width": one.width,
        "height": one.height,
        "duration_seconds": None if one.duration_seconds is None else float(one.duration_seconds),
        "frames_per_second": None if one.frames_per_second is None else float(one.frames_per_second),
        "video_codec": one.video_codec,
        "audio_codec": one.audio_codec,
        "ratio": uploads.ratio_of(one),
        "fitting_ratios": uploads.fitting_ratios(one) if one.kind == "image" else [],
        "thumbnail_url": assets.picture_url(one, one.thumbnail_key, now),
        "poster_url": assets.picture_url(one, one.poster_key, now),
        "created_at": one.created_at,
        "expires_at": one.expires_at,
    }


def attempt(one: Attempt) -> dict[str, Any]:
    """One submission to a provider."""
    return {
        "number": one.number,
        "provider": one.provider,
        "model": one.model,
        "state": one.state,
        "failure": (
            {"code": one.failure_code, "message": one.failure_message, "retryable": one.failure_retryable}
            if one.failure_code
            else None
        ),
        "created_at": one.created_at,
        "submitted_at": one.submitted_at,
        "running_at": one.running_at,
        "ended_at": one.ended_at,
        "checked_until": one.reconcile_by if one.state == AttemptState.UNKNOWN else None,
    }


def generation(one: Generation, job: Job | None, now: datetime) -> dict[str, Any]:
    """A clip with its progress and what it costs. `job`: its row, for what changes while it runs."""
    ended = one.ended_at is not None
    used = one.credits_used
    output = one.output if one.output_id else None
    return {
        "id": str(one.id),
        "project": str(one.project_id) if one.project_id else None,
        "retry_of": str(one.retry_of_id) if one.retry_of_id else None,
        "status": one.status,
        "stage": None if ended or job is None else jobs.label_of(job),
        "progress": 100 if one.status == GenerationStatus.COMPLETED else job.progress if job else 10,
        "eta_at": None if ended or job is None else job.eta_at,
        "model": one.model,
        "provider": one.provider,
        "alternatives": [other["model"] for other in one.alternatives],
        "mode": one.mode,
        "prompt": one.prompt,
        "negative_prompt": one.negative_prompt,
        "style": one.style,
        "resolution": one.resolution,
        "ratio": one.ratio,
        "duration_seconds": one.duration_seconds,
        "audio": one.audio,
        "enhance": one.enhance,
        "seed": one.seed,
        "controls": one.controls,
        "start_image": str(one.start_image_id) if one.start_image_id else None,
        "end_image": str(one.end_image_id) if one.end_image_id else None,
        "source_video": str(one.source_video_id) if one.source_video_id else None,
        "start_after": one.start_after,
        "start_by": one.start_by,
        "finish_by": one.finish_by,
        "credits": {
            "quoted": one.credits_quoted,
            "held": 0 if ended else one.credits_quoted,
            "used": used,
            "released": one.credits_quoted - used if ended else 0,
            "quoted_money": money(one.credits_quoted),
        },
        "late": one.late,
        "error": (
            {
                "code": one.error_code,
                "message": one.error_message,
                "details": {},
                "retryable": one.error_retryable,
            }
            if one.error_code
            else None
        ),
        "video": asset(output, now) if output is not None else None,
        "created_at": one.created_at,
        "started_at": one.started_at,
        "ended_at": one.ended_at,
        "expires_at": output.expires_at if output is not None else None,
    }


def position(job: Job | None) -> int | None:
    """The clip's place in the line for its provider, from 1; None unless it waits. One statement."""
    if job is None or not job.waits or job.gate is None:
        return None
    return jobs.position(gate=job.gate, turn=job.turn, created_at=job.created_at, job_id=job.id)


def project(one: Project, counts: Mapping[str, int]) -> dict[str, Any]:
    """A project with what is in it and what it cost."""
    return {
        "id": str(one.id),
        "title": one.title,
        "description": one.description,
        "favourite": one.favourite,
        "state": one.state,
        "sample": str(one.sample_id) if one.sample_id else None,
        "character": str(one.character_id) if one.character_id else None,
        "audio": str(one.audio_id) if one.audio_id else None,
        "generations": counts.get("generations", 0),
        "completed": counts.get("completed", 0),
        "running": counts.get("running", 0),
        "credits_used": counts.get("credits_used", 0),
        "created_at": one.created_at,
        "updated_at": one.updated_at,
    }


def model(
    one: VideoModel,
    *,
    now: datetime,
    enabled: bool,
    retires_at: datetime | None,
    credits: int | None,
    out_of_order: OutOfOrder,
) -> dict[str, Any]:
    """A model of the catalogue: its limits, its price at the defaults, and whether it can be used now."""
    retires = min((date for date in (one.retires_at, retires_at) if date is not None), default=None)
    health = (
        "retired"
        if retires is not None and retires <= now
        else "unavailable"
        if not enabled or not registry.configured(one.provider) or not one.is_available(now)
        else "failing"
        if out_of_order.covers(one)
        else "available"
    )
    return {
        "id": one.id,
        "name": one.name,
        "provider": one.provider,
        "description": one.description,
        "modes": sorted(one.modes),
        "default_duration": one.default_duration,
        "max_duration": one.max_duration,
        "durations": list(one.durations),
        "restrictions": [
            {
                "modes": sorted(other.modes),
                "resolutions": list(one.resolutions if other.resolutions is None else other.resolutions),
                "durations": list(other.durations),
            }
            for other in one.restrictions
        ],
        "end_image_alone": one.end_image_alone,
        "resolutions": list(one.resolutions),
        "ratios": list(one.ratios),
        "default_ratio": one.default_ratio,
        "styles": list(one.styles),
        "max_prompt_length": one.max_prompt_length,
        "spoken_characters_per_second": one.spoken_characters_per_second,
        "negative_prompt": one.negative_prompt,
        "audio": one.audio,
        "enhance": one.enhance,
        "seed": one.seed,
        "controls": [_control(control) for control in one.controls],
        "strengths": sorted(one.strengths),
        "quality": one.quality,
        "watermark": one.watermark,
        "price_unit": one.price_unit,
        "credits": credits,
        "requires_tier": one.requires_tier,
        "available_from": one.available_from,
        "deprecated_at": one.deprecated_at,
        "retires_at": retires,
        "successor": one.successor,
        "health": health,
    }


def _control(control: Any) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "name": control.name,
        "description": control.description,
        "default": control.default,
    }
    if isinstance(control, ChoiceControl):
        return {**shown, "type": "choice", "choices": list(control.choices)}
    if isinstance(control, NumberControl):
        kind = "integer" if control.whole else "number"
        return {**shown, "type": kind, "minimum": control.minimum, "maximum": control.maximum}
    return {**shown, "type": "boolean"}
