"""The film's sound: everything in its place to the sample, others under the voice, as loud as players expect it."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .ffmpeg import Ended, Watch, of_strangers, run
from .timeline import Sound, Timeline
from .vocabulary import SoundRole

RATE = 48_000
BITRATE = "192k"
# What players turn others down or up to, and how near it has to be.
TARGET_LUFS, NEAR_LU = -14.0, 0.2
# Of what is heard after AAC, between samples too; the encoder's own errors have to have room.
MOST_TRUE_PEAK, LIMIT = -1.0, -1.6
# A quieter film is taken for a silent one and stays as it is.
SILENT_LUFS = -60.0
# More than this from its peaks would be heard as distortion: such a film stays quieter.
MOST_LIMITED_DB = 12.0
ROUNDS = 4
MEASURED = "ebur128=peak=true:framelog=quiet"
# The voice's level from which others go down, by 10 dB or so under one at its usual level.
DUCKED = "sidechaincompress=threshold=0.02:ratio=6:attack=20:release=450:detection=rms:link=maximum"
# In and out of a sound that is cut off, by role.
FADES = {
    SoundRole.MUSIC: (0.3, 1.5),
    SoundRole.VOICE: (0.0, 0.03),
    SoundRole.EFFECT: (0.0, 0.05),
    SoundRole.OWN: (0.0, 0.05),
}
# At a cut, so that nothing clicks.
CUT_FADE = 0.01

_LOUDNESS = re.compile(r"^\s+I:\s+(\S+) LUFS", re.MULTILINE)
_PEAK = re.compile(r"^\s+Peak:\s+(\S+) dBFS", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnSound:
    """The part with a clip's own sound, and where it is heard: in frames of the film."""

    part: str
    volume: float
    start: int
    frames: int
    # With the clips before and after it, which are heard at the same time.
    overlap: int
    next_overlap: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Mix:
    """A filter graph over its inputs: the sounds, then the clips' own; `samples` long at RATE, and called [mix]."""

    graph: str
    sounds: tuple[Sound, ...]
    own: tuple[OwnSound, ...]
    samples: int

    @property
    def recipe(self) -> tuple[object, ...]:
        """All that the result depends on."""
        sounds = tuple(sound.digest for sound in self.sounds)
        own = tuple(sound.part for sound in self.own)
        return (self.graph, sounds, own, TARGET_LUFS, LIMIT, BITRATE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Loudness:
    """EBU R 128: over all of it, and the highest true peak; -inf where there is digital silence."""

    lufs: float
    true_peak: float


def mix_of(timeline: Timeline, own: Sequence[OwnSound]) -> Mix:
    """How this timeline's sound is mixed; sounds that have no time in it are left out."""
    samples = round(timeline.seconds * RATE)
    sounds = tuple(sound for sound in timeline.sounds if _room(sound, samples) > 0)
    chains: list[str] = []
    voices: list[str] = []
    others: list[str] = []
    for number, sound in enumerate(sounds):
        chains.append(f"[{number}:a:0]{_placed(sound, samples)}[s{number}]")
        (voices if sound.role is SoundRole.VOICE else others).append(f"[s{number}]")
    for number, one in enumerate(own, len(sounds)):
        chains.append(f"[{number}:a:0]{_own(one, timeline.format.frames_per_second, samples)}[s{number}]")
        others.append(f"[s{number}]")
    if voices:
        chains.append(f"{_sum(voices)}[voice]")
    if others:
        chains.append(f"{_sum(others)}[others]")
    if voices and others:
        chains.append("[voice]asplit[heard][key]")
        chains.append(f"[others][key]{DUCKED}[under]")
        chains.append(f"{_sum(['[heard]', '[under]'])}[all]")
    else:
        chains.append(f"{'[voice]' if voices else '[others]'}anull[all]")
    if not voices and not others:
        chains = [f"anullsrc=r={RATE}:cl=stereo[all]"]
    chains.append(f"[all]atrim=end_sample={samples}[mix]")
    return Mix(graph=";".join(chains), sounds=sounds, own=tuple(own), samples=samples)


def make(mix: Mix, sounds: Mapping[str, Path], parts: Path, folder: Path, into: str, watch: Watch) -> None:
    """Mix into an M4A file of this name in the folder, at the target's loudness.

    Raises Cancelled and CompositionFailed.
    """
    seconds = mix.samples / RATE
    inputs = [option for sound in mix.sounds for option in of_strangers(sounds[sound.id], sound=True)]
    for one in mix.own:
        inputs += ["-i", f"file:{(parts / one.part).absolute()}"]
    loose = "mix.wav"
    ended = run(
        ["-v", "info", "-nostats", *inputs, "-filter_complex", f"{mix.graph};[mix]{MEASURED}[out]",
         "-map", "[out]", "-map_metadata", "-1", "-c:a", "pcm_f32le", "-f", "wav", loose],
        folder, what="the mix", watch=watch.part(0.0, 0.5), seconds=seconds,
    )  # fmt: skip
    found = loudness(ended)
    gain, limit = 0.0, LIMIT
    if found.lufs > SILENT_LUFS:
        gain = TARGET_LUFS - found.lufs
    for number in range(ROUNDS):
        heard = _encode(
            loose, into, folder, mix, gain, limit, found, watch.part(0.5 + number / 8, 0.625 + number / 8)
        )
        if found.lufs <= SILENT_LUFS:
            break
        off = TARGET_LUFS - heard.lufs
        # What the limiter takes away is given back by more gain, as far as that is bearable.
        most = limit - found.true_peak + MOST_LIMITED_DB
        is_loud_enough = abs(off) <= NEAR_LU or (off > 0 and gain >= most)
        if is_loud_enough and heard.true_peak <= MOST_TRUE_PEAK:
            break
        gain = min(gain + (0 if is_loud_enough else off), most)
        limit -= max(0.0, heard.true_peak - MOST_TRUE_PEAK + 0.1) if heard.true_peak > MOST_TRUE_PEAK else 0.0
    (folder / loose).unlink()


def loudness(ended: Ended) -> Loudness:
    """What `MEASURED` found, of FFmpeg's words at its usual level."""
    lufs, peaks = _LOUDNESS.findall(ended.words), _PEAK.findall(ended.words)
    return Loudness(
        lufs=float(lufs[-1]) if lufs else -math.inf, true_peak=float(peaks[-1]) if peaks else -math.inf
    )


def _encode(
    loose: str, into: str, folder: Path, mix: Mix, gain: float, limit: float, found: Loudness, watch: Watch
) -> Loudness:
    """Encode at this gain; how loud the result is, once it is decoded again."""
    steps = [f"volume={gain:.3f}dB"]
    if found.true_peak + gain > limit:
        # Four times as many samples show the peaks between them; the limiter's look ahead is taken back.
        steps += [
            f"aresample={4 * RATE}",
            f"alimiter=limit={10 ** (limit / 20):.5f}:level=0:latency=1:attack=3:release=60",
            f"aresample={RATE}",
        ]
    steps.append(f"atrim=end_sample={mix.samples}")
    ended = run(
        ["-v", "info", "-nostats", "-i", loose, "-af", ",".join(steps), "-c:a", "aac", "-b:a", BITRATE,
         "-ar", str(RATE), "-ac", "2", "-map_metadata", "-1", "-f", "ipod", into,
         "-dec", "0:0", "-filter_complex", f"[dec:0]{MEASURED}[heard]", "-map", "[heard]", "-f", "null", "-"],
        folder, what="the mix", watch=watch, seconds=mix.samples / RATE,
    )  # fmt: skip
    return loudness(ended)


def _placed(sound: Sound, samples: int) -> str:
    """A sound's filters: cut to its time, faded where it is cut off, at its gain, in its place."""
    start, room = round(sound.start_seconds * RATE), _room(sound, samples)
    fade_in, fade_out = (min(seconds, room / RATE / 3) for seconds in FADES[sound.role])
    steps = [f"aresample={RATE}", "aformat=sample_fmts=fltp:channel_layouts=stereo"]
    if sound.loop:
        steps.append(f"aloop=loop=-1:size={samples}")
    steps.append(f"atrim=end_sample={room}")
    if fade_in:
        steps.append(f"afade=t=in:d={fade_in:.6f}")
    steps.append(f"afade=t=out:st={room / RATE - fade_out:.6f}:d={fade_out:.6f}")
    steps += [f"volume={sound.gain_db:.3f}dB", f"adelay={start}S:all=1", f"apad=whole_len={samples}"]
    return ",".join(steps)


def _room(sound: Sound, samples: int) -> int:
    """How many samples of it there may be."""
    room = samples - round(sound.start_seconds * RATE)
    return room if sound.seconds is None else min(room, round(sound.seconds * RATE))


def _own(one: OwnSound, frames_per_second: int, samples: int) -> str:
    """The filters of a clip's own sound: crossed with its neighbours' where the pictures are, short at a cut."""
    length = one.frames / frames_per_second
    fade_in, fade_out = (
        overlap / frames_per_second or CUT_FADE for overlap in (one.overlap, one.next_overlap)
    )
    return ",".join([
        f"afade=t=in:d={fade_in:.6f}:curve=qsin",
        f"afade=t=out:st={length - fade_out:.6f}:d={fade_out:.6f}:curve=qsin",
        f"volume={one.volume:.6f}",
        "aformat=sample_fmts=fltp:channel_layouts=stereo",
        f"adelay={round(one.start * RATE / frames_per_second)}S:all=1",
        f"apad=whole_len={samples}",
    ])  # fmt: skip


def _sum(inputs: Sequence[str]) -> str:
    if len(inputs) == 1:
        return f"{inputs[0]}anull"
    return f"{''.join(inputs)}amix=inputs={len(inputs)}:normalize=0:duration=longest"
