"""What renders have shown of a plan, for its owner and for the next planner: voices longer than their segments."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from pipeline.models import FilmSound, SoundState
from pipeline.plans.film import Film
from pipeline.plans.findings import TooLong, too_long
from providers.catalogue.sound import SoundKind

VOICE_TOO_LONG, VOICE_UNKNOWN = "voice_too_long", "voice_unknown"
# Of a project's last voices: a film has forty lines at most.
MOST_VOICES = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """`message` says what was found and what helps, for people."""

    code: str
    segment: str
    message: str


def of_render(film: Film, sounds: Sequence[FilmSound]) -> list[Finding]:
    """The lines of a render that did not fit, and those that another voice speaks than was wished for."""
    voices = [one for one in sounds if one.kind == SoundKind.VOICE]
    spoken = {one.segment: one.made_seconds for one in voices if one.made_seconds is not None}
    found = [
        Finding(code=VOICE_TOO_LONG, segment=one.segment, message=one.reason)
        for one in too_long(film, spoken)
    ]
    return found + [
        Finding(
            code=VOICE_UNKNOWN,
            segment=one.segment,
            message=f"{one.provider} knows no voice “{one.voice}”; its default voice speaks {one.segment}.",
        )
        for one in voices
        if one.voice_unknown
    ]


def of_plan(project_id: UUID, film: Film) -> tuple[TooLong, ...]:
    """The lines of a plan that are known not to fit, from voices that spoke the same words. One statement."""
    if not film.audio.script:
        return ()
    voices = (
        FilmSound.objects.filter(
            render__project_id=project_id,
            kind=SoundKind.VOICE,
            state=SoundState.COMPLETED,
            voice=film.audio.voice,
        )
        .order_by("-created_at")
        .values_list("text", "made_seconds")[:MOST_VOICES]
    )
    spoken = {text: seconds for text, seconds in reversed(voices) if seconds is not None}
    return too_long(
        film, {line.segment: spoken[line.text] for line in film.audio.script if line.text in spoken}
    )
