"""What analyses, plans and the talk about them look like to a client."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from generations import assets
from generations.api.representation import money
from generations.models import Asset
from pipeline import analyses, versions
from pipeline.models import Analysis, ChatTurn, PlanVersion, Work
from pipeline.plans.offers import Offers
from workers import jobs
from workers.models import Job

# What a work is at, in a client's words: the labels of its stages.
STAGES = ("measuring", "listening", "understanding", "planning", "answering")


def work(one: Work, job: Job | None) -> dict[str, Any]:
    """Where a work stands. `job`: its row."""
    open_ = one.ended_at is None
    return {
        "id": str(one.id),
        "job": str(one.job_id),
        "status": one.status,
        "stage": jobs.label_of(job) if job is not None else None,
        "progress": 100 if one.status == "completed" else job.progress if job is not None else 0,
        "eta_at": job.eta_at if open_ and job is not None else None,
        "credits": {"quoted": one.credits_quoted, "used": one.credits_used},
        "error": {"code": one.error_code, "message": one.error_message} if one.error_code else None,
        "created_at": one.created_at,
        "ended_at": one.ended_at,
    }


def analysis(one: Analysis, job: Job | None, now: datetime) -> dict[str, Any]:
    """An analysis with its figures, its report, and its scenes with their pictures."""
    return {
        **work(one, job),
        "sample": str(one.sample_id),
        "measurement": _measurement(one, now) if one.measurement is not None else None,
        "report": one.report,
    }


def _measurement(one: Analysis, now: datetime) -> dict[str, Any]:
    measured = dict(one.measurement or {})
    keys = analyses.picture_keys(one)
    measured["shots"] = [
        {
            **{name: value for name, value in shot.items() if name != "key_frame"},
            "number": number,
            "picture_url": _picture(one.pictures, keys, shot["key_frame"], now),
        }
        for number, shot in enumerate(measured["shots"], start=1)
    ]
    measured.pop("speech_file", None)
    return measured


def _picture(asset: Asset | None, keys: Mapping[str, str], name: str, now: datetime) -> str | None:
    return assets.picture_url(asset, keys[name], now) if asset is not None and name in keys else None


def version(one: PlanVersion) -> dict[str, Any]:
    """A version, without its film."""
    return {
        "number": one.number,
        "parent": one.parent.number if one.parent is not None else None,
        "author": one.author,
        "by": one.by,
        "note": one.note,
        "digest": one.digest,
        "created_at": one.created_at,
    }


def plan(one: PlanVersion, offers: Offers) -> dict[str, Any]:
    """A version with its film, and what that costs now; no price where a model of it is gone."""
    film = versions.film_of(one)
    price = versions.price_of(film, offers)
    starts = film.starts()
    return {
        **version(one),
        "film": one.film,
        "digests": one.digests,
        "seconds": film.seconds,
        "clip_seconds": film.clip_seconds,
        "starts": list(starts),
        "price": None if price is None else {**versions.price_json(price), "money": money(price.credits)},  # type: ignore[dict-item]
    }


def turn(one: ChatTurn, job: Job | None) -> dict[str, Any]:
    """What was said and answered."""
    return {
        **work(one, job),
        "message": one.message,
        "reply": one.reply,
        "by": one.by,
        "base": one.base.number,
        "version": one.version.number if one.version is not None else None,
        "edits": one.edits,
    }
