"""What is heard: in its place to the sample, under a voice, and as loud as players expect it."""

import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from imageio_ffmpeg import get_ffmpeg_exe

from pipeline.media.composition.ffmpeg import Watch, run
from pipeline.media.composition.mixing import MEASURED, Loudness, loudness
from pipeline.media.composition.timeline import Clip, Sound, Timeline
from pipeline.media.composition.vocabulary import SoundRole, TransitionKind

from .films import (
    RATE,
    SMALL,
    Samples,
    Workshop,
    clicks,
    heard,
    level,
    lights,
    luma,
    onsets,
    source,
    timeline_of,
    tone,
    wav,
)

SECONDS = 6.0
SILENT_CLIP = Clip(id="one", digest="even", frames=180)


@pytest.fixture
def quiet_workshop(shared_workshop: Callable[[str], Workshop], sources: dict[str, Path]) -> Workshop:
    """A workshop in which the picture is there already: six seconds of one clip."""
    workshop = shared_workshop("quiet")
    workshop.conform(timeline_of(SILENT_CLIP), "one", sources["even"])
    return workshop


def measured(path: Path, folder: Path) -> Loudness:
    ended = run(
        ["-v", "info", "-nostats", "-i", str(path), "-vn", "-af", MEASURED, "-f", "null", "-"],
        folder,
        what="a measurement",
        watch=Watch(lambda share: None, lambda: False),
    )
    return loudness(ended)


def film_of(workshop: Workshop, *sounds: tuple[Sound, Path]) -> Path:
    timeline = timeline_of(SILENT_CLIP, sounds=tuple(sound for sound, _ in sounds))
    return workshop.compose(timeline, {sound.id: path for sound, path in sounds}).film


def sound(digest: str, role: SoundRole = SoundRole.EFFECT, **more: object) -> Sound:
    return replace(Sound(id=digest, digest=digest, role=role), **more)  # type: ignore[arg-type]


def speech(seconds: float, loud: float = 0.25) -> Samples:
    """A tone in syllables, with peaks well above its level, as a voice has them."""
    time = np.arange(round(seconds * RATE)) / RATE
    syllables = np.clip(np.sin(2 * np.pi * 4 * time), 0.02, 1) ** 2
    made: Samples = (tone(seconds, 220, loud) * syllables + clicks(seconds, [0.3, 1.9]) * 2 * loud).astype(
        np.float32
    )
    return made


def test_sound_stays_with_the_picture_over_a_minute_with_six_joins(
    workshop: Workshop, tmp_path: Path
) -> None:
    """Flashes in the pictures, with clicks of the clips' own and clicks of an effect, seen and heard in the film."""
    frames, overlap = 270, 15
    flashes = [60, 150, 210]
    path = source(
        tmp_path / "flashes.mp4",
        [230 if number in flashes else 40 for number in range(frames)],
        sound=clicks(frames / 30, [frame / 30 for frame in flashes]),
    )
    clips = tuple(
        Clip(
            id=f"clip {number}",
            digest="flashes",
            frames=frames,
            transition=TransitionKind.FADE if number else TransitionKind.CUT,
            overlap=overlap if number else 0,
            volume=1.0,
        )
        for number in range(7)
    )
    timeline = timeline_of(*clips, fmt=replace(SMALL, preset="ultrafast"))
    places = [start + flash for start in timeline.starts() for flash in flashes]
    # Between the flashes; so each click is told from the others.
    extra = [(start + 100) / 30 for start in timeline.starts()]
    effect = wav(tmp_path / "effect.wav", clicks(timeline.seconds, extra))
    timeline = replace(timeline, sounds=(sound("effect"),))
    film = workshop.film(timeline, {"flashes": path}, {"effect": effect})
    assert timeline.seconds == pytest.approx(60, abs=0.01)
    seen = [number / 30 for number, light in enumerate(lights(luma(film.film))) if light > 150]
    assert seen == pytest.approx([place / 30 for place in places])
    assert onsets(heard(film.film)) == pytest.approx(sorted([*seen, *extra]), abs=0.005)


@pytest.mark.parametrize(
    ("ending", "options"),
    [
        ("mp3", ["-ar", "44100", "-ac", "1", "-b:a", "96k"]),
        ("wav", ["-ar", "22050", "-c:a", "pcm_s24le"]),
        ("flac", ["-ar", "96000", "-ac", "2"]),
        ("ogg", ["-c:a", "libopus", "-ac", "2"]),
        ("m4a", ["-ar", "32000", "-c:a", "aac"]),
        ("webm", ["-c:a", "libvorbis", "-ac", "6"]),
    ],
)
def test_a_sound_of_any_codec_rate_and_channels_is_heard_in_its_place(
    quiet_workshop: Workshop, tmp_path: Path, ending: str, options: list[str]
) -> None:
    plain, path = wav(tmp_path / "plain.wav", clicks(2.0, [0.5, 1.25])), tmp_path / f"sound.{ending}"
    subprocess.run(
        [get_ffmpeg_exe(), "-v", "error", "-nostdin", "-i", str(plain), *options, str(path)], check=True
    )
    film = film_of(quiet_workshop, (sound(f"{ending} clicks", start_seconds=2.1), path))
    # What an encoder of speech makes of a click is a little wider.
    assert onsets(heard(film)) == pytest.approx([2.6, 3.35], abs=0.012)


def test_the_sound_is_exactly_as_long_as_the_picture(quiet_workshop: Workshop, tmp_path: Path) -> None:
    film = film_of(quiet_workshop, (sound("long", SoundRole.OWN), wav(tmp_path / "long.wav", tone(9))))
    assert len(heard(film)) == round(SECONDS * RATE)


@pytest.mark.parametrize("loud", [0.004, 0.25, 1.0], ids=["quiet", "usual", "clipped"])
def test_a_film_is_as_loud_as_players_expect_and_its_peaks_have_room(
    quiet_workshop: Workshop, tmp_path: Path, loud: float
) -> None:
    voice = wav(tmp_path / "voice.wav", np.clip(speech(6, loud) * 1.5, -1, 1))
    music = wav(tmp_path / "music.wav", tone(2, 330, loud / 3))
    film = film_of(
        quiet_workshop,
        (sound(f"voice {loud}", SoundRole.VOICE), voice),
        (sound(f"music {loud}", SoundRole.MUSIC, loop=True, gain_db=-6.0), music),
    )
    found = measured(film, tmp_path)
    assert found.lufs == pytest.approx(-14, abs=0.5)
    assert found.true_peak <= -1


def test_a_film_without_sound_has_a_silent_track(quiet_workshop: Workshop, tmp_path: Path) -> None:
    film = film_of(quiet_workshop)
    samples = heard(film)
    assert len(samples) == round(SECONDS * RATE)
    assert np.abs(samples).max() == 0


def test_a_film_of_hiss_alone_is_not_made_loud(quiet_workshop: Workshop, tmp_path: Path) -> None:
    hiss = (np.random.default_rng(1).standard_normal(6 * RATE) * 0.0003).astype(np.float32)
    film = film_of(quiet_workshop, (sound("hiss"), wav(tmp_path / "hiss.wav", hiss)))
    assert level(heard(film)) < -65


def test_music_goes_down_under_a_voice_and_comes_back(quiet_workshop: Workshop, tmp_path: Path) -> None:
    voice = np.zeros(6 * RATE, np.float32)
    voice[RATE : 3 * RATE] = tone(2, 200, 0.3)
    film = film_of(
        quiet_workshop,
        (sound("two seconds", SoundRole.VOICE), wav(tmp_path / "voice.wav", voice)),
        (sound("hum", SoundRole.MUSIC), wav(tmp_path / "music.wav", tone(6, 2000, 0.1))),
    )
    samples = heard(film)

    def music(begin: float, end: float) -> float:
        part = samples[round(begin * RATE) : round(end * RATE)]
        spectrum = np.abs(np.fft.rfft(part * np.hanning(len(part))))
        at = round(2000 * len(part) / RATE)
        return float(20 * np.log10(spectrum[at - 5 : at + 6].max() / len(part)))

    before, under, after = music(0.4, 0.9), music(1.5, 2.8), music(3.8, 4.4)
    assert under < before - 6
    assert after == pytest.approx(before, abs=2)


def test_a_loop_goes_on_without_a_gap_to_its_end(quiet_workshop: Workshop, tmp_path: Path) -> None:
    music = sound("second", SoundRole.EFFECT, loop=True, start_seconds=1.0, seconds=3.5)
    film = film_of(quiet_workshop, (music, wav(tmp_path / "loop.wav", tone(1, 400, 0.3))))
    samples = np.abs(heard(film))
    inside = samples[round(1.05 * RATE) : round(4.4 * RATE)]
    # In each five thousandths there are two periods of it.
    blocks = inside[: len(inside) // 240 * 240].reshape(-1, 240).max(axis=1)
    assert blocks.min() > 0.8 * np.median(blocks)
    assert samples[: round(0.98 * RATE)].max() < 0.01
    assert samples[round(4.55 * RATE) :].max() < 0.01


def test_own_sound_keeps_its_pitch_at_another_speed(workshop: Workshop, tmp_path: Path) -> None:
    path = source(tmp_path / "tone.mp4", [90] * 120, sound=tone(4, 440))
    timeline = timeline_of(Clip(id="one", digest="tone", frames=60, speed=2.0, volume=1.0))
    samples = heard(workshop.film(timeline, {"tone": path}).film)
    spectrum = np.abs(np.fft.rfft(samples))
    assert len(samples) == 2 * RATE
    assert np.argmax(spectrum) / 2 == pytest.approx(440, abs=3)


def test_a_clip_whose_source_is_silent_is_silent_among_others(workshop: Workshop, tmp_path: Path) -> None:
    loud = source(tmp_path / "loud.mp4", [90] * 30, sound=tone(1, 440))
    mute = source(tmp_path / "mute.mp4", [90] * 30)
    timeline = timeline_of(
        Clip(id="one", digest="mute", frames=30, volume=1.0),
        Clip(id="two", digest="loud", frames=30, volume=1.0),
    )
    samples = heard(workshop.film(timeline, {"mute": mute, "loud": loud}).film)
    assert level(samples[: round(0.95 * RATE)]) < -60
    assert level(samples[round(1.1 * RATE) : round(1.9 * RATE)]) > -20


def test_own_sounds_cross_where_their_pictures_do(workshop: Workshop, tmp_path: Path) -> None:
    one = source(tmp_path / "one.mp4", [90] * 60, sound=tone(2, 400))
    two = source(tmp_path / "two.mp4", [90] * 60, sound=tone(2, 3000))
    timeline: Timeline = timeline_of(
        Clip(id="one", digest="one", frames=60, volume=1.0),
        Clip(id="two", digest="two", frames=60, volume=1.0, transition=TransitionKind.FADE, overlap=30),
    )
    samples = heard(workshop.film(timeline, {"one": one, "two": two}).film)

    def share(begin: float) -> float:
        part = samples[round(begin * RATE) : round((begin + 0.1) * RATE)]
        spectrum = np.abs(np.fft.rfft(part)) ** 2
        return float(spectrum[300:].max() / (spectrum[300:].max() + spectrum[:100].max()))

    assert share(0.8) < 0.02
    assert share(1.45) == pytest.approx(0.5, abs=0.15)
    assert share(2.1) > 0.98
