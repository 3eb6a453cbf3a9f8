"""How each edit of a plan is applied. Whoever proposes them, code applies them, all or none."""

from collections.abc import Callable, Sequence
from typing import Any

from pipeline.plans.assembly import chosen, refitted, tidy
from pipeline.plans.choice import NoModel
from pipeline.plans.film import (
    LONGEST_PROMPT,
    LONGEST_SEGMENT,
    SHORTEST_SEGMENT,
    AudioStrategy,
    Continuity,
    Film,
    Line,
    Overlay,
    Segment,
    Transition,
)
from pipeline.plans.offers import Offers
from pipeline.plans.operations import (
    EVERY,
    MOST_EDITS,
    Add,
    ChangeModel,
    ChangePrompt,
    Edit,
    Edits,
    Merge,
    Move,
    Remove,
    Retime,
    SetFormat,
    SetMusic,
    SetOverlay,
    SetPreference,
    SetSpeed,
    SetTransition,
    SetVoice,
    Split,
)
from pipeline.plans.validation import TOLERANCE, Inputs, check

__all__ = ["MOST_EDITS", "Edit", "EditRefused", "Edits", "apply"]


class EditRefused(Exception):
    """An edit that can't be done; `number` counts from 1, and the text says why, for people."""

    def __init__(self, number: int, reason: str) -> None:
        self.number = number
        self.reason = reason
        super().__init__(f"Edit {number}: {reason}")


class _Impossible(Exception):
    pass


def apply(film: Film, edits: Sequence[Edit], offers: Offers, inputs: Inputs) -> Film:
    """The film after all of them, checked. Raises EditRefused or Unrenderable; then nothing was done."""
    for number, edit in enumerate(edits, start=1):
        try:
            film = _APPLY[edit.op](film, edit, offers)
        except KeyError as error:
            raise EditRefused(number, f"There is no segment {error.args[0]}.") from None
        except (_Impossible, NoModel) as error:
            raise EditRefused(number, str(error)) from None
        except ValueError as error:
            raise EditRefused(number, _first_line(error)) from None
    return check(film, offers, inputs)


def _first_line(error: ValueError) -> str:
    errors = getattr(error, "errors", None)
    if errors is None:
        return str(error)
    first = errors()[0]
    return f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}"


def _targets(film: Film, which: str) -> range:
    """The indexes that are meant. Raises KeyError."""
    if which == EVERY:
        return range(len(film.segments))
    index = film.index(which)
    return range(index, index + 1)


def _update(
    film: Film, which: str, offers: Offers, fields: dict[str, Any] | Callable[[Segment], dict[str, Any]]
) -> Film:
    """With these fields changed, and models that can still make the segments."""
    segments = list(film.segments)
    for index in _targets(film, which):
        changes = fields(segments[index]) if callable(fields) else fields
        changed = segments[index].model_copy(update=changes)
        segments[index] = refitted(changed, film, offers)
    return film.with_segments(tuple(segments))


def _look(film: Film, which: str, fields: dict[str, Any]) -> Film:
    """With these fields of its looks changed, which are no reason for another clip. Raises ValueError."""
    segments = list(film.segments)
    for index in _targets(film, which):
        segments[index] = Segment.model_validate({**segments[index].model_dump(), **fields})
    return film.with_segments(tuple(segments))


def _set_speed(film: Film, edit: SetSpeed, offers: Offers) -> Film:
    segments = list(film.segments)
    for index in _targets(film, edit.segment):
        changed = segments[index].model_copy(update={"speed": edit.speed})
        # A clip that is long enough is not made anew.
        enough = changed.clip_seconds >= changed.taken_seconds - TOLERANCE
        segments[index] = changed if enough else refitted(changed, film, offers)
    return film.with_segments(tuple(segments))


def _change_prompt(film: Film, edit: ChangePrompt, offers: Offers) -> Film:
    fields: dict[str, Any] = {"prompt": edit.prompt}
    if edit.story:
        fields["story"] = edit.story
    return _update(film, edit.segment, offers, fields)


def _split(film: Film, edit: Split, offers: Offers) -> Film:
    index = film.index(edit.segment)
    one = film.segments[index]
    rest = round(one.seconds - edit.at_seconds, 3)
    if edit.at_seconds < SHORTEST_SEGMENT or rest < SHORTEST_SEGMENT:
        raise _Impossible(
            f"Both parts of {one.id} must have {SHORTEST_SEGMENT:g} s; it has {one.seconds:g} s."
        )
    first = one.model_copy(
        update={
            "seconds": round(edit.at_seconds, 3),
            "overlays": tuple(
                over.model_copy(update={"end_seconds": min(over.end_seconds, edit.at_seconds)})
                for over in one.overlays
                if over.start_seconds < edit.at_seconds
            ),
        }
    )
    second = one.model_copy(
        update={
            "id": film.free_id(),
            "seconds": rest,
            "continuity": Continuity.PREVIOUS_FRAME,
            "transition": Transition(),
            "overlays": tuple(
                over.model_copy(
                    update={
                        "start_seconds": max(0.0, round(over.start_seconds - edit.at_seconds, 3)),
                        "end_seconds": round(over.end_seconds - edit.at_seconds, 3),
                    }
                )
                for over in one.overlays
                if over.end_seconds > edit.at_seconds
            ),
        }
    )
    parts = tuple(refitted(part, film, offers) for part in (first, second))
    return film.with_segments((*film.segments[:index], *parts, *film.segments[index + 1 :]))


def _merge(film: Film, edit: Merge, offers: Offers) -> Film:
    index = film.index(edit.segment)
    if index + 1 == len(film.segments):
        raise _Impossible(f"Nothing comes after {edit.segment}.")
    one, other = film.segments[index], film.segments[index + 1]
    seconds = round(one.seconds + other.seconds - other.transition.seconds, 3)
    if seconds > LONGEST_SEGMENT:
        raise _Impossible(
            f"{one.id} and {other.id} have {seconds:g} s together; {LONGEST_SEGMENT:g} s are the most."
        )
    offset = one.seconds - other.transition.seconds
    joined = one.model_copy(
        update={
            "seconds": seconds,
            "story": f"{one.story} {other.story}".strip()[:2000],
            "prompt": f"{one.prompt} Then: {other.prompt}"[:LONGEST_PROMPT],
            "character": one.character or other.character,
            "overlays": (
                *one.overlays,
                *(
                    over.model_copy(
                        update={
                            "start_seconds": round(over.start_seconds + offset, 3),
                            "end_seconds": round(over.end_seconds + offset, 3),
                        }
                    )
                    for over in other.overlays
                ),
            ),
        }
    )
    audio = film.audio.model_copy(
        update={
            "script": _joined(film.audio.script, one.id, other.id),
            "effects": _joined(film.audio.effects, one.id, other.id),
        }
    )
    segments = (*film.segments[:index], refitted(joined, film, offers), *film.segments[index + 2 :])
    return film.model_copy(update={"audio": audio}).with_segments(segments)


def _joined(lines: tuple[Line, ...], first: str, second: str) -> tuple[Line, ...]:
    """The two segments' lines as one."""
    texts = [line.text for name in (first, second) for line in lines if line.segment == name]
    others = tuple(line for line in lines if line.segment not in (first, second))
    return (*others, Line(segment=first, text=" ".join(texts)[:1000])) if texts else others


def _move(film: Film, edit: Move, offers: Offers) -> Film:
    segments = list(film.segments)
    one = segments.pop(film.index(edit.segment))
    if edit.position > len(film.segments):
        raise _Impossible(f"The film has {len(film.segments)} segments.")
    segments.insert(edit.position - 1, one)
    return film.with_segments(tuple(segments))


def _add(film: Film, edit: Add, offers: Offers) -> Film:
    index = 0 if edit.after is None else film.index(edit.after) + 1
    like = film.segments[max(0, index - 1)]
    new = like.model_copy(
        update={
            "id": film.free_id(),
            "prompt": edit.prompt,
            "story": edit.story or edit.prompt[:2000],
            "negative_prompt": "",
            "content_type": edit.content_type,
            "seconds": round(edit.seconds, 3),
            "continuity": Continuity.CUT,
            "transition": Transition(),
            "overlays": (),
            "effects": (),
            "speed": 1.0,
            "camera": "",
        }
    )
    new = chosen(new, film.ratio, film.resolution, film.preference, offers)
    return film.with_segments((*film.segments[:index], new, *film.segments[index:]))


def _remove(film: Film, edit: Remove, offers: Offers) -> Film:
    index = film.index(edit.segment)
    if len(film.segments) == 1:
        raise _Impossible("It is the film's only segment.")
    return film.with_segments((*film.segments[:index], *film.segments[index + 1 :]))


def _retime(film: Film, edit: Retime, offers: Offers) -> Film:
    seconds = round(edit.seconds, 3)

    def fields(one: Segment) -> dict[str, Any]:
        kept = tuple(
            over.model_copy(update={"end_seconds": min(over.end_seconds, seconds)})
            for over in one.overlays
            if over.start_seconds < seconds
        )
        return {"seconds": seconds, "overlays": kept}

    return _update(film, edit.segment, offers, fields)


def _change_model(film: Film, edit: ChangeModel, offers: Offers) -> Film:
    if edit.model not in offers:
        raise _Impossible(f"{edit.model} is not available. There are: {', '.join(offers)}.")
    segments = list(film.segments)
    for index in _targets(film, edit.segment):
        segments[index] = chosen(
            segments[index], film.ratio, film.resolution, film.preference, offers, model=edit.model
        )
    return film.with_segments(tuple(segments))


def _set_preference(film: Film, edit: SetPreference, offers: Offers) -> Film:
    segments = tuple(
        chosen(one, film.ratio, film.resolution, edit.preference, offers) for one in film.segments
    )
    return film.model_copy(update={"preference": edit.preference}).with_segments(segments)


def _set_transition(film: Film, edit: SetTransition, offers: Offers) -> Film:
    wanted = tidy(Transition(kind=edit.kind, seconds=edit.seconds))
    segments = list(film.segments)
    for index in _targets(film, edit.segment):
        if index == 0:
            if edit.segment != EVERY:
                raise _Impossible("Nothing comes before the first segment.")
            continue
        most = min(segments[index - 1].seconds, segments[index].seconds) / 2
        fitting = wanted.model_copy(update={"seconds": round(min(wanted.seconds, most), 3)})
        segments[index] = segments[index].model_copy(update={"transition": fitting})
    return film.with_segments(tuple(segments))


def _set_overlay(film: Film, edit: SetOverlay, offers: Offers) -> Film:
    one = film.segments[film.index(edit.segment)]
    over = Overlay(
        text=edit.text,
        position=edit.position,
        animation=edit.animation,
        start_seconds=edit.start_seconds or 0.0,
        end_seconds=one.seconds if edit.end_seconds is None else edit.end_seconds,
    )
    others = tuple(other for other in one.overlays if other.position != over.position)
    return _look(film, edit.segment, {"overlays": (*others, over)})


def _audio(film: Film, **fields: Any) -> Film:
    return film.model_copy(update={"audio": film.audio.model_copy(update=fields)})


def _set_voice(film: Film, edit: SetVoice, offers: Offers) -> Film:
    fields: dict[str, Any] = {"strategy": AudioStrategy.VOICE_OVER}
    if edit.voice:
        fields["voice"] = edit.voice
    if edit.script:
        fields["script"] = edit.script
    return _audio(film, **fields)


def _set_music(film: Film, edit: SetMusic, offers: Offers) -> Film:
    strategy = film.audio.strategy
    if edit.music and strategy in (AudioStrategy.NONE, AudioStrategy.EFFECTS):
        strategy = AudioStrategy.MUSIC
    elif not edit.music and strategy == AudioStrategy.MUSIC:
        strategy = AudioStrategy.NONE
    return _audio(film, music=edit.music, strategy=strategy)


def _set_format(film: Film, edit: SetFormat, offers: Offers) -> Film:
    wanted = film.model_copy(
        update={"ratio": edit.ratio or film.ratio, "resolution": edit.resolution or film.resolution}
    )
    segments = tuple(refitted(one, wanted, offers) for one in wanted.segments)
    return wanted.with_segments(segments)


def _post(film: Film, **fields: Any) -> Film:
    return film.model_copy(update={"post": film.post.model_copy(update=fields)})


_APPLY: dict[str, Callable[[Film, Any, Offers], Film]] = {
    "change_prompt": _change_prompt,
    "change_negative_prompt": lambda film, edit, offers: _update(
        film, edit.segment, offers, {"negative_prompt": edit.negative_prompt}
    ),
    "split": _split,
    "merge": _merge,
    "move": _move,
    "add": _add,
    "remove": _remove,
    "retime": _retime,
    "change_model": _change_model,
    "set_preference": _set_preference,
    "set_camera": lambda film, edit, offers: _update(film, edit.segment, offers, {"camera": edit.camera}),
    "set_character": lambda film, edit, offers: _update(
        film, edit.segment, offers, {"character": edit.character}
    ),
    "set_continuity": lambda film, edit, offers: _update(
        film, edit.segment, offers, {"continuity": edit.continuity}
    ),
    "set_transition": _set_transition,
    "set_overlay": _set_overlay,
    "remove_overlays": lambda film, edit, offers: _look(film, edit.segment, {"overlays": ()}),
    "set_picture_effects": lambda film, edit, offers: _look(film, edit.segment, {"effects": edit.effects}),
    "set_speed": _set_speed,
    "set_audio": lambda film, edit, offers: _audio(film, strategy=edit.strategy),
    "set_voice": _set_voice,
    "set_effects": lambda film, edit, offers: _audio(
        film, strategy=AudioStrategy.EFFECTS, effects=edit.effects
    ),
    "set_music": _set_music,
    "set_grade": lambda film, edit, offers: _post(film, grade=edit.grade),
    "set_captions": lambda film, edit, offers: _post(film, captions=edit.captions),
    "set_fit": lambda film, edit, offers: _post(film, fit=edit.fit),
    "set_style": lambda film, edit, offers: film.model_copy(update={"style": edit.style}),
    "set_title": lambda film, edit, offers: film.model_copy(update={"title": edit.title}),
    "set_format": _set_format,
}
