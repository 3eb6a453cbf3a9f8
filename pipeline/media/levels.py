"""How loud a sound is, and where it is silent, in one pass over its frames."""

import math
from typing import Any

import av
import av.filter

SILENCE = "silencedetect=noise=-50dB:duration=0.5"
# EBU R 128's measure of nothing at all.
NOTHING_LUFS = -70.0


class Levels:
    """Loudness and silences, of the sound as it comes."""

    def __init__(self, stream: Any) -> None:
        self._graph = av.filter.Graph()
        self._in = self._graph.add_abuffer(template=stream, time_base=stream.time_base)
        name, options = SILENCE.split("=", 1)
        silence = self._graph.add(name, options)
        loudness = self._graph.add("ebur128", "peak=true:metadata=1:framelog=quiet")
        self._out = self._graph.add("abuffersink")
        # In this order, because loudness makes frames of its own.
        self._in.link_to(loudness)
        loudness.link_to(silence)
        silence.link_to(self._out)
        self._graph.configure()
        self._words: dict[str, str] = {}
        self._begin: float | None = None
        self.silences: list[dict[str, float]] = []

    def add(self, frame: Any) -> None:
        """The next frame; None after the last."""
        self._in.push(frame)
        while True:
            try:
                words = self._out.pull().metadata
            except (av.BlockingIOError, av.EOFError):
                return
            self._words.update(words)
            # One frame may end a silence and begin another.
            if "lavfi.silence_end" in words and self._begin is not None:
                self.silences.append(span(self._begin, float(words["lavfi.silence_end"])))
                self._begin = None
            if "lavfi.silence_start" in words:
                self._begin = float(words["lavfi.silence_start"])

    def end(self, seconds: float) -> None:
        self.add(None)
        if self._begin is not None and self._begin < seconds:
            self.silences.append(span(self._begin, seconds))
        self._begin = None

    def found(self) -> dict[str, float | None]:
        loudness = float(self._words.get("lavfi.r128.I", "nan"))
        if not loudness > NOTHING_LUFS:
            return {"loudness_lufs": None, "loudness_range_lu": None, "true_peak_dbtp": None}
        peaks = [float(value) for key, value in self._words.items() if "true_peaks_ch" in key]
        peak = max(peaks, default=0.0)
        return {
            "loudness_lufs": round(loudness, 2),
            "loudness_range_lu": round(float(self._words["lavfi.r128.LRA"]), 2),
            "true_peak_dbtp": round(20 * math.log10(peak), 2) if peak > 0 else None,
        }


def span(begin: float, end: float) -> dict[str, float]:
    return {"start_seconds": round(max(0.0, begin), 3), "end_seconds": round(end, 3)}
