"""Which sounds a film needs."""

from pipeline.plans.film import AudioStrategy, Film
from pipeline.sounds import SoundWish
from providers.catalogue.sound import SoundKind

# Strategies under which the plan's effects and its music are made.
_WITH_EFFECTS = (AudioStrategy.VOICE_OVER, AudioStrategy.EFFECTS, AudioStrategy.MUSIC)


def sounds_of(film: Film) -> tuple[SoundWish, ...]:
    """The sounds that the plan asks for, in the order of the film; an own sound track needs none."""
    audio = film.audio
    lengths = {one.id: one.seconds for one in film.segments}
    wishes: list[SoundWish] = []
    if audio.strategy == AudioStrategy.VOICE_OVER:
        wishes += [
            SoundWish(
                kind=SoundKind.VOICE,
                segment=line.segment,
                text=line.text,
                voice=audio.voice,
                seconds=lengths[line.segment],
            )
            for line in audio.script
        ]
    if audio.strategy in _WITH_EFFECTS:
        wishes += [
            SoundWish(
                kind=SoundKind.EFFECT, segment=line.segment, text=line.text, seconds=lengths[line.segment]
            )
            for line in audio.effects
        ]
        if audio.music:
            wishes.append(SoundWish(kind=SoundKind.MUSIC, segment="", text=audio.music, seconds=film.seconds))
    return tuple(wishes)
