"""What edits of videos look like to a client."""

from datetime import datetime
from typing import Any

from credits.models import Hold
from generations.api.representation import money
from pipeline.api import render_representation
from pipeline.models import EditQuote, VideoEdit, WorkStatus
from pipeline.prices import Price
from workers import jobs
from workers.models import Job


def estimate(one: EditQuote, price: Price, balance: int) -> dict[str, Any]:
    """A price that binds us."""
    shown = render_representation.price(price, balance)
    for part in shown["parts"]:
        # Sounds have none.
        del part["alternatives"]
    return {"quote_id": str(one.id), "expires_at": one.expires_at, **shown}


def summary(one: VideoEdit, job: Job | None) -> dict[str, Any]:
    """An edit in a list."""
    open_ = one.ended_at is None
    return {
        "id": str(one.id),
        "job": str(one.job_id),
        "source": str(one.source_id),
        "status": one.status,
        "stage": jobs.label_of(job) if job is not None and open_ else None,
        "progress": 100 if one.status == WorkStatus.COMPLETED else job.progress if job is not None else 0,
        "eta_at": job.eta_at if job is not None and open_ else None,
        "credits_quoted": one.credits_quoted,
        "error": {"code": one.error_code, "message": one.error_message} if one.error_code else None,
        "created_at": one.created_at,
        "ended_at": one.ended_at,
        "expires_at": one.output.expires_at if one.output is not None else None,
    }


def edit(one: VideoEdit, job: Job | None, now: datetime) -> dict[str, Any]:
    """An edit with its sounds and its result. One statement."""
    held = one.hold.amount if one.hold.state == Hold.State.OPEN else 0
    return {
        **summary(one, job),
        "wish": one.wish,
        "credits": {
            "quoted": one.credits_quoted,
            "held": held,
            "used": one.credits_used,
            "released": one.credits_quoted - one.credits_used - held,
            "quoted_money": money(one.credits_quoted),
        },
        "sounds": [render_representation.sound(row) for row in one.sounds.order_by("created_at", "id")],
        "video": render_representation.film(one.output, one.vtt_key, one.srt_key, now),
        "timings": one.timings,
    }
