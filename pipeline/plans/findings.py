"""What is found in a plan once more is known of it, such as how long its words really take: for planners and owners."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil

from pipeline.plans.film import LONGEST_SEGMENT, Film

# Nobody hears that a line ends so much later than its picture.
UNHEARD_SECONDS = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class TooLong:
    """A line that takes longer than there is time for it; `reason` says so, and what helps, for people."""

    segment: str
    spoken_seconds: float
    room_seconds: float
    reason: str


def too_long(film: Film, spoken: Mapping[str, float]) -> tuple[TooLong, ...]:
    """The lines of the script that do not fit, in the film's order. `spoken`: how long each takes, by segment id.

    A line has its segment's seconds; where the next segment has a line, too, and is faded in, it has as many fewer.
    """
    found = []
    texts = {line.segment: line.text for line in film.audio.script}
    for index, one in enumerate(film.segments):
        seconds = spoken.get(one.id, 0.0)
        following = film.segments[index + 1] if index + 1 < len(film.segments) else None
        overlap = following.transition.seconds if following is not None and spoken.get(following.id) else 0.0
        room = one.seconds - overlap
        if seconds <= room + UNHEARD_SECONDS:
            continue
        fewer = ceil(len(texts.get(one.id, "").split()) * (1 - room / seconds))
        shorten = "shorten the words" + (f" by about {fewer}" if fewer else "")
        # Tenths are what people say.
        wanted = ceil((seconds + overlap) * 10 - 1e-6) / 10
        longer = f", or make it {wanted:g} s long" if wanted <= LONGEST_SEGMENT else ""
        left = "the segment" if not overlap else "before the next begins there are"
        found.append(
            TooLong(
                segment=one.id,
                spoken_seconds=round(seconds, 3),
                room_seconds=round(room, 3),
                reason=f"The voice of {one.id} lasts {seconds:.1f} s, {left} {room:.1f} s: {shorten}{longer}.",
            )
        )
    return tuple(found)
