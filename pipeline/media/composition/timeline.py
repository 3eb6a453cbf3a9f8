"""What is composed: clips, sounds and words in their places. Values only, no files.

Pictures are counted in frames of the film, so that nothing is rounded twice; sounds and words are in seconds of it.
A source is named by its digest: what has the same digest is the same file.
"""

from dataclasses import dataclass

from .vocabulary import Animation, EffectKind, Fit, Grade, Position, SoundRole, TransitionKind

# Of a film's short side 1080: width and height by ratio.
SIZES = {
    "9:16": (1080, 1920),
    "16:9": (1920, 1080),
    "1:1": (1080, 1080),
    "4:5": (1080, 1350),
    "5:4": (1350, 1080),
    "4:3": (1440, 1080),
    "3:4": (1080, 1440),
    "3:2": (1620, 1080),
    "2:3": (1080, 1620),
    "21:9": (2520, 1080),
}
SHORT_SIDE = 1080
FRAMES_PER_SECOND = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """The film's picture: even sizes in pixels, frames per second, and how x264 encodes it."""

    width: int
    height: int
    frames_per_second: int = FRAMES_PER_SECOND
    preset: str = "medium"
    crf: int = 20


def format_of(ratio: str, *, short_side: int = SHORT_SIDE, preset: str = "medium") -> Format:
    """The format of films in this ratio. Raises KeyError for one that there is not."""
    width, height = (round(side * short_side / SHORT_SIDE / 2) * 2 for side in SIZES[ratio])
    return Format(width=width, height=height, preset=preset)


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedWord:
    """A word and when it is heard."""

    text: str
    start_seconds: float
    end_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """Words over one clip's picture, in seconds since that clip's first frame in the film."""

    text: str
    position: Position = Position.BOTTOM
    animation: Animation = Animation.NONE
    start_seconds: float
    end_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A part of a source's picture, in pixels of it as it is seen."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """One source on the timeline.

    It shows `frames` of the film, the first `overlap` of them together with the last of the clip before. At `speed` 2
    it takes twice as much of the source, from `start_seconds` on; what a source lacks at its end is its last picture.
    """

    id: str
    digest: str
    frames: int
    start_seconds: float = 0.0
    speed: float = 1.0
    effects: tuple[EffectKind, ...] = ()
    texts: tuple[Text, ...] = ()
    transition: TransitionKind = TransitionKind.CUT
    overlap: int = 0
    # Of the source's own sound; 0 leaves it out.
    volume: float = 0.0
    # What of its picture is shown; all of it if None.
    crop: Box | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sound:
    """A sound in its place, in seconds of the film; `seconds`: how long it may play, to its own end if None.

    With `loop` it goes on until then from its beginning.
    """

    id: str
    digest: str
    role: SoundRole
    start_seconds: float = 0.0
    seconds: float | None = None
    loop: bool = False
    gain_db: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Caption:
    """Spoken words, written on the picture at the bottom, in seconds of the film."""

    text: str
    start_seconds: float
    end_seconds: float
    words: tuple[TimedWord, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """A whole film. `burn_captions`: write them on the picture; they are files beside it in any case."""

    format: Format
    clips: tuple[Clip, ...]
    sounds: tuple[Sound, ...] = ()
    captions: tuple[Caption, ...] = ()
    burn_captions: bool = True
    grade: Grade = Grade.NONE
    fit: Fit = Fit.CROP

    @property
    def frames(self) -> int:
        """How long the film is: during a transition two clips are seen at once."""
        return sum(clip.frames for clip in self.clips) - sum(clip.overlap for clip in self.clips[1:])

    @property
    def seconds(self) -> float:
        return self.frames / self.format.frames_per_second

    def starts(self) -> tuple[int, ...]:
        """The film's frame at which each clip begins."""
        starts, at = [], 0
        for index, clip in enumerate(self.clips):
            at -= clip.overlap if index else 0
            starts.append(at)
            at += clip.frames
        return tuple(starts)
