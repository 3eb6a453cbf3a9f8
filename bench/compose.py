"""A film of four segments, beside one FFmpeg command that renders the same with the same encoder, and MoviePy.

`COMPOSE_BENCH=small` tries it out in a minute with small pictures, once each; its figures mean nothing.
"""

import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import venv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import psutil
from imageio_ffmpeg import get_ffmpeg_exe

from pipeline.media.composition import clip_parts, compose, conform, fonts, looks, mixing
from pipeline.media.composition.cues import cues_of
from pipeline.media.composition.ffmpeg import CORES
from pipeline.media.composition.lettering import LEAD_SECONDS, document
from pipeline.media.composition.parts import final, parts_of
from pipeline.media.composition.timeline import Caption, Clip, Sound, Timeline, format_of
from pipeline.media.composition.vocabulary import Grade, SoundRole, TransitionKind
from tests.pipeline.composition.films import tone, wav

from .measure import Measure

IS_SMALL = os.environ.get("COMPOSE_BENCH") == "small"
SEGMENTS = 4
SECONDS = 6 if IS_SMALL else 15
SHORT_SIDE = 270 if IS_SMALL else 1080
SOURCE_SIZE = (180, 320) if IS_SMALL else (720, 1280)
RUNS = 1 if IS_SMALL else 5
OVERLAP = 15
# The bars: shares of the one command's time, likeness of the films, and MB of each process.
MOST_FINISHING, MOST_ARRIVED, MOST_CAPTION = 0.15, 0.40, 0.35
LEAST_SSIM = 0.97
MOST_MEMORY_MB = 700


@dataclass(slots=True)
class Watched:
    """What FFmpeg did meanwhile: the largest process in MB, and how many there were."""

    memory: float = 0.0
    processes: set[int] = field(default_factory=set)


@dataclass(slots=True, kw_only=True)
class Times:
    """Of each run, in seconds."""

    finishing: list[float] = field(default_factory=list)
    arrived: list[float] = field(default_factory=list)
    caption: list[float] = field(default_factory=list)
    peer: list[float] = field(default_factory=list)


def run() -> list[Measure]:
    with tempfile.TemporaryDirectory() as name:
        bench = _Bench(Path(name))
        print("  conforming all segments but the last", flush=True)
        for clip in bench.timeline.clips[:-1]:
            bench.conform(bench.timeline, clip.id)
        times = Times()
        ours, peers, joined = Watched(), Watched(), Watched()
        for number in range(RUNS):
            for is_ours in (True, False) if number % 2 else (False, True):
                print(f"  run {number + 1} of {RUNS}: {'ours' if is_ours else 'the peer'}", flush=True)
                if is_ours:
                    bench.ours(times, ours, joined)
                else:
                    with _watched(peers):
                        times.peer.append(_timed(bench.peer))
        again, encoded = bench.encoded_again()
        ssim = bench.ssim()
        frames = [_frames(path) for path in (bench.film, bench.peers_film)]
        print("  MoviePy", flush=True)
        moviepy = bench.moviepy()
    results = []
    for name, mine, bar in (
        ("last conformed to finished", times.finishing, MOST_FINISHING),
        ("last arrived to finished", times.arrived, MOST_ARRIVED),
        ("again after one caption", times.caption, MOST_CAPTION),
    ):
        ratios = [one / peer for one, peer in zip(mine, times.peer, strict=True)]
        results += [
            Measure(name=f"{name}: ratio", value=statistics.median(ratios), unit="x", bar=bar, better="less"),
            Measure(name=f"{name}: ratio, lowest run", value=min(ratios), unit="x"),
            Measure(name=f"{name}: ratio, highest run", value=max(ratios), unit="x"),
            Measure(name=f"{name}: ours", value=statistics.median(mine), unit="s"),
        ]
    return [
        *results,
        Measure(name="one command: peer", value=statistics.median(times.peer), unit="s"),
        Measure(name="MoviePy, once", value=moviepy, unit="s"),
        Measure(
            name="MoviePy by ours, last arrived", value=moviepy / statistics.median(times.arrived), unit="x"
        ),
        Measure(name="likeness of the films", value=ssim, unit="SSIM", bar=LEAST_SSIM),
        Measure(name="frames", value=frames[0], unit="", bar=bench.timeline.frames),
        Measure(
            name="frames, more than the peer", value=abs(frames[0] - frames[1]), unit="", bar=0, better="less"
        ),
        Measure(name="memory of a process", value=ours.memory, unit="MB", bar=MOST_MEMORY_MB, better="less"),
        Measure(name="memory of a process: peer", value=peers.memory, unit="MB"),
        Measure(name="processes to finish", value=len(joined.processes) / RUNS, unit=""),
        Measure(name="bytes encoded to finish", value=again / 1e6, unit="MB"),
        Measure(name="bytes of the film", value=encoded / 1e6, unit="MB"),
    ]


class _Bench:
    """The sources, our parts, and the film by each side."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.parts, self.scratch = folder, folder / "parts", folder / "scratch"
        self.film, self.peers_film = self.scratch / "film.mp4", folder / "peer.mp4"
        for one in (self.parts, self.scratch):
            one.mkdir()
        print("  making the sources", flush=True)
        self.sources = {f"segment {number}": self._source(number) for number in range(SEGMENTS)}
        kinds = [TransitionKind.CUT, TransitionKind.FADE, TransitionKind.WIPE, TransitionKind.SLIDE]
        clips = tuple(
            Clip(
                id=digest,
                digest=digest,
                frames=SECONDS * 30,
                transition=kinds[number],
                overlap=OVERLAP if number else 0,
            )
            for number, digest in enumerate(self.sources)
        )
        whole = Timeline(format=format_of("9:16", short_side=SHORT_SIDE), clips=clips, grade=Grade.CINEMATIC)
        captions = tuple(
            Caption(
                text=f"Words that are spoken from second {second} on",
                start_seconds=second,
                end_seconds=min(second + 2.4, whole.seconds),
            )
            for second in np.arange(0.5, whole.seconds - 1, 2.5).tolist()
        )
        sounds = (
            Sound(id="voice", digest="voice", role=SoundRole.VOICE),
            Sound(id="music", digest="music", role=SoundRole.MUSIC, loop=True, gain_db=-8.0),
        )
        self.timeline = replace(whole, captions=captions, sounds=sounds)
        length = np.arange(round(whole.seconds * 48_000)) / 48_000
        syllables = np.clip(np.sin(2 * np.pi * 4 * length), 0, 1) * (length % 6 < 4)
        voice = (tone(whole.seconds, 180, 0.4) * syllables).astype(np.float32)
        self.sounds = {
            "voice": wav(folder / "voice.wav", voice[: len(length)]),
            "music": wav(folder / "music.wav", tone(5, 330, 0.2)),
        }

    def _source(self, number: int) -> Path:
        """Hard to compress: it moves everywhere, and there is some noise on it."""
        path = self.folder / f"source {number}.mp4"
        width, height = SOURCE_SIZE
        _ffmpeg(
            "-f", "lavfi", "-i", f"mandelbrot=s={width}x{height}:r=24:start_scale={3 / 4**number}:end_pts=800",
            "-vf", "format=yuv420p,noise=c0s=4:c0f=t", "-t", str(SECONDS), "-c:v", "libx264",
            "-preset", "superfast", "-crf", "20", str(path),
        )  # fmt: skip
        return path

    def conform(self, timeline: Timeline, clip_id: str) -> None:
        conform(
            timeline,
            clip_id,
            self.sources[clip_id],
            self.parts,
            self.scratch,
            progress=lambda share: None,
            cancelled=lambda: False,
        )

    def compose(self, timeline: Timeline) -> None:
        compose(
            timeline,
            self.sounds,
            self.parts,
            self.scratch,
            progress=lambda share: None,
            cancelled=lambda: False,
        )

    def ours(self, times: Times, watched: Watched, joined: Watched) -> None:
        """The last segment arrives, the film is finished; then a caption over a segment's body is changed."""
        last = self.timeline.clips[-1].id
        wanted = parts_of(self.timeline)
        made = [*clip_parts(self.timeline, last), *(join.name for join in wanted.joins), wanted.mix_name]
        for name in made:
            (self.parts / name).unlink(missing_ok=True)
        with _watched(watched):
            conforming = _timed(lambda: self.conform(self.timeline, last))
            with _watched(joined):
                finishing = _timed(lambda: self.compose(self.timeline))
        times.finishing.append(finishing)
        times.arrived.append(conforming + finishing)
        kept = self.film.rename(self.folder / "kept.mp4")
        before = {path.name for path in self.parts.iterdir()}
        changed = self._with_another_caption()

        def again() -> None:
            for clip in changed.clips:
                self.conform(changed, clip.id)
            self.compose(changed)

        with _watched(watched):
            times.caption.append(_timed(again))
        new = [path for path in self.parts.iterdir() if path.name not in before]
        assert len(new) == 1, "one caption is one part"
        new[0].unlink()
        kept.rename(self.film)

    def _with_another_caption(self) -> Timeline:
        """A caption in the middle of the second segment is another."""
        middle = (self.timeline.starts()[1] + SECONDS * 15) / 30
        captions = [
            replace(one, text="Other words") if one.start_seconds <= middle < one.start_seconds + 2.5 else one
            for one in self.timeline.captions
        ]
        return replace(self.timeline, captions=tuple(captions))

    def peer(self) -> None:
        """The same film by one command, which has to wait for the last segment."""
        timeline, fmt = self.timeline, self.timeline.format
        mix = mixing.mix_of(timeline, [])
        inputs = [str(self.sounds[sound.id]) for sound in mix.sounds] + [
            str(path) for path in self.sources.values()
        ]
        graph, last = [], ""
        for number, clip in enumerate(timeline.clips):
            graph.append(f"[{len(mix.sounds) + number}:V:0]{looks.picture(timeline, clip)}[clip{number}]")
            if number:
                offset = timeline.starts()[number] / fmt.frames_per_second
                name = looks.TRANSITIONS[clip.transition]
                length = clip.overlap / fmt.frames_per_second
                graph.append(
                    f"{last}[clip{number}]xfade=transition={name}:duration={length}:offset={offset}[film{number}]"
                )
            last = f"[film{number}]" if number else "[clip0]"
        words = document(fmt, (), cues_of(timeline), begin=0, frames=timeline.frames)
        (self.folder / "peer.ass").write_text(words)
        lead = LEAD_SECONDS * fmt.frames_per_second
        graph.append(
            f"{last}settb=1/{fmt.frames_per_second},setpts=N+{lead},subtitles=peer.ass:wrap_unicode=1,setpts=N[v]"
        )
        graph += [mix.graph, "[mix]loudnorm=I=-14:TP=-1.5:LRA=11,aresample=48000[a]"]
        video = [option for option in final(fmt) if option != "-an"]
        _ffmpeg(
            *(option for path in inputs for option in ("-i", path)),
            "-filter_complex_threads", str(CORES), "-filter_complex", ";".join(graph),
            "-map", "[v]", "-map", "[a]", *video, "-threads", str(CORES + 1),
            "-c:a", "aac", "-b:a", mixing.BITRATE, "-movflags", "+faststart", str(self.peers_film),
            folder=self.folder, environment=fonts.environment(self.folder),
        )  # fmt: skip

    def encoded_again(self) -> tuple[int, int]:
        """Bytes of picture that finishing encodes, and of the film."""
        joins = parts_of(self.timeline).joins
        return sum((self.parts / join.name).stat().st_size for join in joins), self.film.stat().st_size

    def ssim(self) -> float:
        words = _ffmpeg(
            "-i", str(self.film), "-i", str(self.peers_film), "-lavfi", "[0:v][1:v]ssim", "-f", "null", "-"
        )
        found = re.search(r"SSIM.* All:([\d.]+)", words)
        assert found is not None
        return float(found[1])

    def moviepy(self) -> float:
        """The same with MoviePy, in an environment of its own, for its demands on others' versions."""
        place = self.folder / "moviepy"
        venv.create(place, with_pip=True)
        python = str(place / "bin" / "python")
        subprocess.run([python, "-m", "pip", "install", "-qq", "moviepy"], check=True)
        script = self.folder / "peer.py"
        fmt = self.timeline.format
        font = next(fonts.folder_of("manimgx_fonts").glob("NotoSans*wght*.ttf"))
        shutil.copy(font, self.folder / "font.ttf")
        cues = [(cue.text, cue.start_seconds, cue.end_seconds) for cue in cues_of(self.timeline)]
        script.write_text(
            MOVIEPY.format(
                sources=[str(path) for path in self.sources.values()],
                width=fmt.width,
                height=fmt.height,
                seconds=SECONDS,
                overlap=OVERLAP / 30,
                cues=cues,
                font=str(self.folder / "font.ttf"),
                size=fmt.height // 35,
                voice=str(self.sounds["voice"]),
                music=str(self.sounds["music"]),
                preset=fmt.preset,
                crf=fmt.crf,
                film=str(self.folder / "by-moviepy.mp4"),
            )
        )
        return _timed(lambda: subprocess.run([python, str(script)], check=True, cwd=self.folder))


MOVIEPY = """
from moviepy import AudioFileClip, CompositeAudioClip, CompositeVideoClip, TextClip, VideoFileClip, vfx, afx

clips, at = [], 0.0
for number, path in enumerate({sources!r}):
    clip = VideoFileClip(path).resized(({width}, {height})).with_duration({seconds})
    clip = clip.with_effects([vfx.LumContrast(contrast=0.14), *([vfx.CrossFadeIn({overlap})] if number else [])])
    clips.append(clip.with_start(at))
    at += {seconds} - {overlap}
length = at + {overlap}
words = [
    TextClip(font={font!r}, text=text, font_size={size}, color="white", stroke_color="black", stroke_width=2)
    .with_start(start).with_duration(end - start).with_position(("center", 0.78), relative=True)
    for text, start, end in {cues!r}
]
music = AudioFileClip({music!r}).with_effects([afx.AudioLoop(duration=length), afx.MultiplyVolume(0.4)])
film = CompositeVideoClip([*clips, *words], size=({width}, {height})).with_duration(length)
film = film.with_audio(CompositeAudioClip([AudioFileClip({voice!r}), music]).with_duration(length))
film.write_videofile(
    {film!r}, fps=30, codec="libx264", preset={preset!r}, audio_codec="aac", audio_fps=48000, logger=None,
    ffmpeg_params=["-crf", "{crf}", "-pix_fmt", "yuv420p"],
)
"""


def _timed(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


@contextmanager
def _watched(found: Watched) -> Iterator[None]:
    """See what FFmpeg's processes below this one take while it lasts."""
    ended, name = threading.Event(), Path(get_ffmpeg_exe()).name

    def watch() -> None:
        while not ended.wait(0.02):
            for child in psutil.Process().children(recursive=True):
                try:
                    if Path(child.exe()).name == name:
                        found.processes.add(child.pid)
                        found.memory = max(found.memory, child.memory_info().rss / 1e6)
                except psutil.Error:
                    continue

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _ffmpeg(*arguments: str, folder: Path | None = None, environment: dict[str, str] | None = None) -> str:
    """What it said."""
    done = subprocess.run(
        [get_ffmpeg_exe(), "-hide_banner", "-nostats", "-nostdin", "-y", *arguments],
        check=False,
        cwd=folder,
        env=environment or {},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        print(done.stderr[-2000:], file=sys.stderr)
        raise RuntimeError("FFmpeg failed")
    return done.stderr


def _frames(path: Path) -> int:
    """How many can be decoded."""
    return int(
        re.findall(r"frame=\s*(\d+)", _ffmpeg("-stats", "-i", str(path), "-an", "-f", "null", "-"))[-1]
    )
