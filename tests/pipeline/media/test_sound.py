"""Loudness, silences and speech of sounds that are known."""

from pathlib import Path

import av
import numpy as np
import pytest

from config.stack.sample import make
from pipeline.media.measurement import Measurement, Sound, measure
from tests.pipeline.media.films import (
    SOUND_RATE,
    Samples,
    landscape,
    noise,
    silence,
    still,
    tone,
    voice,
    write,
)


def heard(
    folder: Path, sound: Samples, name: str = "film.mp4", sound_codec: str = "aac"
) -> tuple[Sound, Measurement]:
    frames = round(len(sound) / SOUND_RATE * 30)
    pictures = still(landscape(1, width=64, height=64), frames)
    codec = "libvpx-vp9" if name.endswith("webm") else "libx264"
    path = write(folder / name, pictures, sound=sound, codec=codec, sound_codec=sound_codec)
    found = measure(path, folder)
    assert found.sound is not None
    return found.sound, found


@pytest.mark.parametrize(("peak", "channels"), [(0.1, 2), (0.02, 2), (0.5, 1)])
def test_the_loudness_of_a_tone_is_known(tmp_path: Path, peak: float, channels: int) -> None:
    # A sine of 997 Hz at full scale in one channel is -3.01 LUFS (ITU-R BS.1770); two of them are twice the power.
    # AAC adds peaks of its own.
    sound, _ = heard(tmp_path, tone(5, peak=peak, hertz=997, channels=channels), "film.mov", "pcm_s16le")
    expected = 20 * np.log10(peak) - 3.01 + 10 * np.log10(channels)
    assert sound.loudness_lufs == pytest.approx(expected, abs=0.1)
    assert sound.true_peak_dbtp == pytest.approx(20 * np.log10(peak), abs=0.2)
    assert sound.loudness_range_lu == pytest.approx(0, abs=0.5)
    assert sound.channels == channels


def test_digital_silence_has_no_loudness(tmp_path: Path) -> None:
    sound, found = heard(tmp_path, silence(3))
    assert (sound.loudness_lufs, sound.loudness_range_lu, sound.true_peak_dbtp) == (None, None, None)
    assert len(sound.silences) == 1
    assert sound.silences[0].end_seconds == pytest.approx(3, abs=0.1)
    assert found.speech_file is None


@pytest.mark.parametrize(("name", "codec"), [("film.mp4", "aac"), ("film.webm", "libopus")])
def test_silences_are_where_they_are(tmp_path: Path, name: str, codec: str) -> None:
    parts = [tone(1.5), silence(1), tone(2), silence(0.7), tone(0.5), silence(1.3)]
    sound, _ = heard(tmp_path, np.concatenate(parts), name, codec)
    found = [(one.start_seconds, one.end_seconds) for one in sound.silences]
    expected = [(1.5, 2.5), (4.5, 5.2), (5.7, 7.0)]
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert one == pytest.approx(other, abs=0.1)


def test_the_silences_of_a_sample_are_found(tmp_path: Path) -> None:
    film = make(tmp_path / "film.mp4", seed=3, style="hard", size=(90, 160), scenes=4, seconds=8)
    sound = measure(film.path, tmp_path).sound
    assert sound is not None
    for one in film.silences:
        assert any(
            found.start_seconds == pytest.approx(one.start_seconds, abs=0.1)
            and found.end_seconds == pytest.approx(one.end_seconds, abs=0.1)
            for found in sound.silences
        )
    assert sound.speech == ()


@pytest.mark.parametrize(
    "sound",
    [tone(4, hertz=200), tone(4, hertz=1000), noise(4)],
    ids=["a low tone", "a tone", "noise"],
)
def test_a_tone_or_noise_is_not_speech(tmp_path: Path, sound: Samples) -> None:
    found, whole = heard(tmp_path, sound)
    assert found.speech == ()
    assert found.speech_share == 0
    assert whole.speech_file is None
    assert not list(tmp_path.glob("*.flac"))


def test_a_voice_is_speech_and_is_written_for_a_transcription(tmp_path: Path) -> None:
    sound, found = heard(tmp_path, np.concatenate([silence(1.5), voice(2.5), silence(2)]))
    assert sound.speech[0].start_seconds == pytest.approx(1.5, abs=0.3)
    assert sound.speech[-1].end_seconds == pytest.approx(4, abs=0.3)
    assert sound.speech_share == pytest.approx(2.5 / 6, abs=0.1)
    assert found.speech_file is not None
    with av.open(str(tmp_path / found.speech_file)) as container:
        stream = container.streams.audio[0]
        assert (stream.codec_context.name, stream.rate, stream.channels) == ("flac", 16_000, 1)
        samples = np.concatenate([frame.to_ndarray()[0] for frame in container.decode(stream)])
    assert len(samples) / 16_000 == pytest.approx(6, abs=0.1)
    loud = np.flatnonzero(np.abs(samples) > 1000) / 16_000
    assert (loud[0], loud[-1]) == pytest.approx((1.5, 4), abs=0.1)
