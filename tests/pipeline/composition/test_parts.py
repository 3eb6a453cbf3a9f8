"""Work is done once: what a change makes anew, and what it leaves alone."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.media.composition.clips import conform
from pipeline.media.composition.errors import PartMissing
from pipeline.media.composition.film import compose
from pipeline.media.composition.parts import clip_parts, film_parts
from pipeline.media.composition.timeline import Caption, Clip, Sound, Text, Timeline
from pipeline.media.composition.vocabulary import Grade, Position, SoundRole, TransitionKind

from .films import Workshop, timeline_of, tone, wav

TEXT = Text(text="Title", position=Position.TOP, start_seconds=0.4, end_seconds=0.6)
MUSIC = Sound(id="music", digest="music", role=SoundRole.MUSIC)


def caption(text: str, start: float, end: float) -> Caption:
    return Caption(text=text, start_seconds=start, end_seconds=end)


@pytest.fixture
def timeline() -> Timeline:
    """Three clips of a second, with joins from frame 20 to 30 and from 40 to 50, and a caption over each body."""
    return timeline_of(
        Clip(id="one", digest="dark", frames=30),
        Clip(
            id="two",
            digest="light",
            frames=30,
            transition=TransitionKind.FADE,
            overlap=10,
            volume=0.5,
            texts=(TEXT,),
        ),
        Clip(id="three", digest="dark", frames=30, transition=TransitionKind.WIPE, overlap=10),
        captions=(caption("first", 0.1, 0.5), caption("second", 1.02, 1.3), caption("third", 1.7, 2.2)),
        sounds=(MUSIC,),
    )


def clip_changed(timeline: Timeline, number: int, **change: object) -> Timeline:
    clips = list(timeline.clips)
    clips[number] = replace(clips[number], **change)  # type: ignore[arg-type]
    return replace(timeline, clips=tuple(clips))


def captioned(timeline: Timeline, *captions: Caption) -> Timeline:
    return replace(timeline, captions=captions)


def new(before: Timeline, after: Timeline) -> tuple[list[str], int]:
    """Of which clips parts are new, one entry for each, and how many parts of joins and mix."""
    old = set(film_parts(before))
    clips = [clip.id for clip in after.clips for name in clip_parts(after, clip.id) if name not in old]
    of_clips = {name for clip in after.clips for name in clip_parts(after, clip.id)}
    return clips, len(set(film_parts(after)) - of_clips - old)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        # The second caption lies over the second clip's body alone.
        (lambda t: captioned(t, t.captions[0], caption("changed", 1.02, 1.3), t.captions[2]), (["two"], 0)),
        (lambda t: captioned(t, *t.captions, caption("over a join", 0.7, 0.95)), ([], 1)),
        (lambda t: replace(t, burn_captions=False), (["one", "two", "three"], 0)),
        (lambda t: replace(t, sounds=(replace(MUSIC, gain_db=-3.0),)), ([], 1)),
        (lambda t: replace(t, sounds=()), ([], 1)),
        (lambda t: clip_changed(t, 1, volume=0.8), ([], 1)),
        # Its own sound, and the mix.
        (lambda t: clip_changed(t, 0, volume=0.8), (["one"], 1)),
        (lambda t: clip_changed(t, 1, transition=TransitionKind.RADIAL), ([], 1)),
        # Over its body alone, too; and one that reaches into its head.
        (lambda t: clip_changed(t, 1, texts=(replace(TEXT, text="Changed"),)), (["two"], 0)),
        (lambda t: clip_changed(t, 1, texts=(replace(TEXT, start_seconds=0.2),)), (["two"] * 2, 1)),
        # Nothing of it is heard.
        (lambda t: replace(t, sounds=(MUSIC, replace(MUSIC, id="late", start_seconds=99.0))), ([], 0)),
        (lambda t: replace(t, sounds=(MUSIC, replace(MUSIC, id="short", seconds=0.0))), ([], 0)),
        # Tail, body, head and own sound; both joins, and the mix.
        (lambda t: clip_changed(t, 1, digest="other"), (["two"] * 4, 3)),
        (lambda t: clip_changed(t, 1, speed=1.5), (["two"] * 4, 3)),
        (lambda t: replace(t, grade=Grade.WARM), (["one"] * 2 + ["two"] * 3 + ["three"] * 2, 2)),
    ],
)  # fmt: skip
def test_a_change_makes_only_what_it_touches(
    timeline: Timeline, change: Callable[[Timeline], Timeline], expected: tuple[list[str], int]
) -> None:
    assert new(timeline, change(timeline)) == expected


def test_what_comes_before_a_clip_changes_nothing_of_it(timeline: Timeline) -> None:
    """A first clip that is longer moves the others and their captions, and is all that is new, with the mix."""
    longer = clip_changed(timeline, 0, frames=40)
    moved = tuple(
        replace(one, start_seconds=one.start_seconds + 1 / 3, end_seconds=one.end_seconds + 1 / 3)
        for one in timeline.captions[1:]
    )
    longer = replace(longer, captions=(timeline.captions[0], *moved))
    clips, others = new(timeline, longer)
    assert set(clips) == {"one"}
    # The join with the other tail, and the mix.
    assert others == 2


def test_equal_numbers_make_equal_names(timeline: Timeline) -> None:
    assert film_parts(clip_changed(timeline, 0, start_seconds=0, speed=1)) == film_parts(timeline)


@pytest.mark.parametrize(
    "change",
    [
        lambda t: replace(t, clips=()),
        lambda t: clip_changed(t, 1, overlap=21),
        lambda t: clip_changed(t, 1, frames=0),
        lambda t: clip_changed(t, 1, transition=TransitionKind.CUT),
    ],
)
def test_a_timeline_that_can_not_be_is_refused(
    timeline: Timeline, change: Callable[[Timeline], Timeline]
) -> None:
    with pytest.raises(ValueError, match=r"clip|film"):
        film_parts(change(timeline))


def test_what_is_there_is_not_made_again(
    workshop: Workshop, timeline: Timeline, sources: dict[str, Path], tmp_path: Path
) -> None:
    music = {"music": wav(tmp_path / "music.wav", tone(3))}
    workshop.film(timeline, sources, music)
    assert {path.name for path in workshop.parts.iterdir()} == set(film_parts(timeline))

    def made() -> dict[str, int]:
        return {path.name: path.stat().st_mtime_ns for path in workshop.parts.iterdir()}

    before = made()
    workshop.film(timeline, sources, music)
    assert made() == before
    changed = captioned(timeline, timeline.captions[0], caption("changed", 1.02, 1.3), timeline.captions[2])
    film = workshop.film(changed, sources, music)
    assert len(made()) == len(before) + 1
    assert made().items() > before.items()
    assert film.timings["joins"] < 0.05


def test_a_film_says_which_clips_are_not_conformed(
    workshop: Workshop, timeline: Timeline, sources: dict[str, Path]
) -> None:
    workshop.conform(timeline, "two", sources["light"])
    with pytest.raises(PartMissing) as refused:
        workshop.compose(timeline)
    assert refused.value.clip_ids == ("one", "three")


def test_heads_and_tails_are_needed_for_joins_that_are_not_there_alone(
    workshop: Workshop, timeline: Timeline, sources: dict[str, Path], tmp_path: Path
) -> None:
    music = {"music": wav(tmp_path / "music.wav", tone(3))}
    workshop.film(timeline, sources, music)
    # One's tail.
    (workshop.parts / clip_parts(timeline, "one")[1]).unlink()
    assert workshop.compose(timeline, music).frames == timeline.frames
    with pytest.raises(PartMissing) as refused:
        workshop.compose(clip_changed(timeline, 1, transition=TransitionKind.RADIAL), music)
    assert refused.value.clip_ids == ("one",)


def test_progress_goes_from_nothing_to_all_and_never_back(
    workshop: Workshop, timeline: Timeline, sources: dict[str, Path], tmp_path: Path
) -> None:
    long = clip_changed(timeline, 0, frames=600)
    told: list[float] = []
    for clip in long.clips:
        told.append(-math.inf)
        conform(
            long,
            clip.id,
            sources[clip.digest],
            workshop.parts,
            workshop.scratch,
            progress=told.append,
            cancelled=lambda: False,
        )
    told.append(-math.inf)
    compose(
        long,
        {"music": wav(tmp_path / "music.wav", tone(3))},
        workshop.parts,
        workshop.scratch,
        progress=told.append,
        cancelled=lambda: False,
    )
    runs: list[list[float]] = []
    for share in told:
        if share == -math.inf:
            runs.append([])
        else:
            runs[-1].append(share)
    assert all(run == sorted(run) and run[-1] == 1.0 and run[0] >= 0 for run in runs)
    assert len(runs[-1]) > 2
