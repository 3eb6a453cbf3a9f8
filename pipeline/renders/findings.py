"""What renders have shown of a plan, for its owner and for the next planner: voices longer than their segments."""

from collections.abc import Iterable
from uuid import UUID

from pipeline.models import FilmSound, SoundState
from pipeline.plans.film import Film
from pipeline.plans.findings import TooLong, too_long
from providers.catalogue.sound import SoundKind

VOICE_TOO_LONG = "voice_too_long"
# Of a project's last voices: a film has forty lines at most.
MOST_VOICES = 200


def of_render(film: Film, sounds: Iterable[FilmSound]) -> tuple[TooLong, ...]:
    """The lines of a render that did not fit."""
    return too_long(
        film,
        {
            one.segment: one.made_seconds
            for one in sounds
            if one.kind == SoundKind.VOICE and one.made_seconds is not None
        },
    )


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
