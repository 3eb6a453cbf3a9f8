"""The versions of a project's plan: saved once, never changed; going back saves the old film anew."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from accounts.models import User
from generations.errors import NotFound
from generations.models import Project
from pipeline import sounds
from pipeline.errors import NoPlan, PlanChanged
from pipeline.models import Author, PlanVersion
from pipeline.offers import offers_for
from pipeline.plans import film as films
from pipeline.plans.differences import Difference, differences, stale
from pipeline.plans.film import Film
from pipeline.plans.offers import Offers, PlanPrice, priced
from pipeline.renders.sounds import sounds_of
from workers import clock
from workers.clock import AppNow
from workers.jobs import Change


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """From one version to another: what changed, what of it is stale, and what redoing that costs.

    `price` is None where a model of the plan is not available any more.
    """

    differences: Sequence[Difference]
    stale: tuple[str, ...]
    price: PlanPrice | None


def current(project: Project) -> PlanVersion | None:
    """The newest version. One statement, by the unique index on project and number."""
    return PlanVersion.objects.filter(project=project).order_by("-number").first()


def must_have(project: Project) -> PlanVersion:
    """The newest version. Raises NoPlan."""
    version = current(project)
    if version is None:
        raise NoPlan()
    return version


def find(project: Project, number: int) -> PlanVersion:
    """Raises NotFound."""
    version = PlanVersion.objects.filter(project=project, number=number).first()
    if version is None:
        raise NotFound(what="version")
    return version


def film_of(version: PlanVersion) -> Film:
    return films.from_json(version.film)


def locked(project: Project) -> PlanVersion | None:
    """The newest version, with the project locked: nobody saves another before the caller's transaction ends."""
    Project.objects.select_for_update(no_key=True).get(id=project.id)
    return current(project)


def save(project: Project, film: Film, *, author: Author, by: str = "", note: str = "") -> PlanVersion:
    """The film as the next version, in the caller's transaction. It was checked."""
    parent = locked(project)
    version = PlanVersion.objects.create(
        owner_id=project.owner_id,
        project=project,
        number=parent.number + 1 if parent is not None else 1,
        parent=parent,
        author=author,
        by=by,
        note=note[:300],
        film=films.to_json(film),
        digest=films.digest(film),
        digests=films.digests(film),
        created_at=clock.now(),
    )
    Project.objects.filter(id=project.id).update(updated_at=AppNow())
    return version


def expect(version: PlanVersion, base: int | None) -> None:
    """Raises PlanChanged where the caller means an older version than this."""
    if base is not None and base != version.number:
        raise PlanChanged(current=version.number, base=base, field="base")


def change_of(version: PlanVersion) -> Change:
    """What the log says of a new version."""
    return Change(
        owner_id=version.owner_id,
        kind="plan.version",
        subject_id=version.project_id,
        data={"number": version.number, "author": version.author, "note": version.note},
    )


def price_of(film: Film, offers: Offers, only: frozenset[str] | None = None) -> PlanPrice | None:
    """What the film costs now; None where a model of it, or one for its sounds, is not available any more."""
    wanted = only is None or "audio" in only
    sound_credits = sounds.list_price(sounds_of(film)) if wanted else 0
    if sound_credits is None:
        return None
    try:
        return priced(film, offers, only, sound_credits=sound_credits)
    except KeyError:
        return None


def compare(old: Film, new: Film, offers: Offers) -> Comparison:
    parts = stale(old, new)
    order = [*(one.id for one in new.segments), "audio", "post"]
    return Comparison(
        differences=differences(old, new),
        stale=tuple(part for part in order if part in parts),
        price=price_of(new, offers, parts),
    )


def offers_of(owner: User) -> Offers:
    """What the owner's plans may choose from now."""
    return offers_for(owner, clock.now())


def comparison_json(comparison: Comparison) -> dict[str, Any]:
    """As it is answered and, for a chat turn, kept."""
    return {
        "differences": [
            {
                "kind": one.kind,
                "part": one.part,
                "field": one.field,
                "before": one.before,
                "after": one.after,
            }
            for one in comparison.differences
        ],
        "stale": list(comparison.stale),
        "redo": price_json(comparison.price),
    }


def price_json(price: PlanPrice | None) -> dict[str, Any] | None:
    if price is None:
        return None
    return {
        "credits": price.credits,
        "eta_seconds": price.eta_seconds,
        "parts": [
            {"part": part.label, "credits": part.credits, "seconds": part.seconds} for part in price.parts
        ],
    }
