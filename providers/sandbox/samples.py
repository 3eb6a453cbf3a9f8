"""Sound as arrays of samples between -1 and 1: what voices, effects and music share."""

from fractions import Fraction
from hashlib import sha256
from io import BytesIO

import av
import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float64]
"""One channel, or two as rows."""

LOUDEST = 0.7
EDGE_SECONDS = 0.01


def generator(*parts: str) -> np.random.Generator:
    """Chance that is the same for the same words."""
    return np.random.default_rng(list(sha256("\0".join(parts).encode()).digest()))


def clock(seconds: float, rate: int) -> Samples:
    """The time of each sample."""
    return np.arange(round(seconds * rate)) / rate


def shaped_noise(chance: np.random.Generator, count: int, rate: int, *, low: float, high: float) -> Samples:
    """Noise between two frequencies (Hz), softer above and below."""
    spectrum = np.fft.rfft(chance.standard_normal(count))
    frequencies = np.fft.rfftfreq(count, 1 / rate)
    below = 1 / (1 + (low / np.maximum(frequencies, 1.0)) ** 4)
    above = 1 / (1 + (frequencies / high) ** 4)
    return np.asarray(np.fft.irfft(spectrum * below * above, count))


def levelled(sound: Samples) -> Samples:
    """As loud as it may be."""
    peak = float(np.max(np.abs(sound), initial=0.0))
    return sound * (LOUDEST / peak) if peak > 0 else sound


def with_edges(
    sound: Samples, rate: int, *, begin: float = EDGE_SECONDS, end: float = EDGE_SECONDS
) -> Samples:
    """Without a click at either side: it comes and goes in so many seconds."""
    count = sound.shape[-1]
    ramp = np.ones(count)
    rising, falling = (min(round(seconds * rate), count // 2) for seconds in (begin, end))
    ramp[:rising] = np.linspace(0, 1, rising)
    ramp[count - falling :] = np.linspace(1, 0, falling)
    return sound * ramp


def flac(sound: Samples, rate: int) -> bytes:
    """The samples as a FLAC file of 16 bits."""
    channels = np.atleast_2d(sound)
    interleaved = np.round(channels.T * 32_767).astype(np.int16).reshape(1, -1)
    layout = "mono" if len(channels) == 1 else "stereo"
    file = BytesIO()
    with av.open(file, "w", format="flac") as container:
        stream = container.add_stream("flac", rate=rate, layout=layout, format="s16")
        step = 4_096 * len(channels)
        for at in range(0, interleaved.shape[1], step):
            frame = av.AudioFrame.from_ndarray(
                np.ascontiguousarray(interleaved[:, at : at + step]), format="s16", layout=layout
            )
            frame.sample_rate, frame.time_base = rate, Fraction(1, rate)
            frame.pts = at // len(channels)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()
