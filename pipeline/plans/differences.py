"""What is different between two versions of a plan, and what that makes stale."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pipeline.plans.film import Film, digests

_FILM = ("title", "story", "style", "ratio", "resolution", "preference")


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One change. `part`: a segment's id, "film", "audio" or "post"; `field` is "" for a segment as a whole."""

    kind: Literal["added", "removed", "moved", "changed"]
    part: str
    field: str
    before: Any
    after: Any


def differences(old: Film, new: Film) -> tuple[Difference, ...]:
    """From `old` to `new`, in the order in which one reads a plan."""
    found = [
        _changed("film", name, getattr(old, name), getattr(new, name))
        for name in _FILM
        if getattr(old, name) != getattr(new, name)
    ]
    before = {one.id: one for one in old.segments}
    after = {one.id: one for one in new.segments}
    found += [
        Difference(kind="removed", part=one.id, field="", before=one.model_dump(mode="json"), after=None)
        for one in old.segments
        if one.id not in after
    ]
    moved = _moved([one.id for one in old.segments], [one.id for one in new.segments])
    for index, one in enumerate(new.segments):
        if one.id not in before:
            found.append(
                Difference(
                    kind="added", part=one.id, field="", before=None, after=one.model_dump(mode="json")
                )
            )
            continue
        if one.id in moved:
            found.append(
                Difference(kind="moved", part=one.id, field="", before=old.index(one.id) + 1, after=index + 1)
            )
        found += _fields(one.id, before[one.id], one)
    return (*found, *_fields("audio", old.audio, new.audio), *_fields("post", old.post, new.post))


def stale(old: Film, new: Film) -> frozenset[str]:
    """The parts of `new` that have to be made anew if `old` was made: segment ids, "audio", "post"."""
    made = digests(old)
    return frozenset(part for part, digest in digests(new).items() if made.get(part) != digest)


def _fields(part: str, old: Any, new: Any) -> list[Difference]:
    was, now = old.model_dump(mode="json"), new.model_dump(mode="json")
    return [_changed(part, name, was[name], now[name]) for name in now if was[name] != now[name]]


def _changed(part: str, field: str, before: Any, after: Any) -> Difference:
    return Difference(kind="changed", part=part, field=field, before=before, after=after)


def _moved(old: Sequence[str], new: Sequence[str]) -> frozenset[str]:
    """The fewest that were moved: those outside the longest run that kept its order."""
    place = {one: index for index, one in enumerate(old)}
    kept = [one for one in new if one in place]
    best: list[list[str]] = []
    for one in kept:
        before = ((len(run), run) for run in best if place[run[-1]] < place[one])
        best.append([*max(before, default=(0, []))[1], one])
    stayed = set(max(((len(run), run) for run in best), default=(0, []))[1])
    return frozenset(one for one in kept if one not in stayed)
