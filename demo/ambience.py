"""The demo clip's sound: a synthesised street with an engine, a passing car and birds."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from raycast import Floats

Samples = npt.NDArray[np.float64]

RATE = 48_000
"""Samples per second."""
SPEED_OF_SOUND = 343.0


def _noise(rng: np.random.Generator, count: int, low_hz: float, high_hz: float) -> Samples:
    """(count,) pink noise within soft band limits, unit variance."""
    spectrum = np.fft.rfft(rng.standard_normal(count))
    hz = np.maximum(np.fft.rfftfreq(count, 1 / RATE), 1)
    spectrum *= hz**-0.5 / np.sqrt(1 + (low_hz / hz) ** 4) / np.sqrt(1 + (hz / high_hz) ** 4)
    sound: Samples = np.fft.irfft(spectrum, count)
    sound /= sound.std()
    return sound


def _hum(hz: Samples, harmonics: int) -> Samples:
    """An engine note that follows a frequency curve, peak about 1."""
    phase = 2 * np.pi * np.cumsum(hz) / RATE
    return (
        sum(
            (np.sin(k * phase + k * k) / k**1.1 for k in range(1, harmonics + 1)),
            start=np.zeros_like(hz),
        )
        / 2
    )


def _panned(sound: Samples, pan: Samples | float) -> Samples:
    """(2, N) of (N,) mono with equal power; pan runs from -1 (left) to 1 (right)."""
    angle = (np.clip(pan, -1, 1) + 1) * np.pi / 4
    return np.stack([sound * np.cos(angle), sound * np.sin(angle)])


def _passing_car(
    rng: np.random.Generator, seconds: Samples, pass_at: float, closing: float
) -> Samples:
    """(2, N) a car that comes towards us and passes on the left, with its Doppler shift."""
    gap = closing * (pass_at - seconds)
    distance = np.hypot(gap, 3.2)
    approach = closing * gap / distance
    hz = 62 / (1 - approach / SPEED_OF_SOUND)
    gain = 3.2 / distance
    tyres = _noise(rng, seconds.size, 400, 2500)
    return _panned((0.5 * _hum(hz, 14) + 0.35 * tyres) * gain, -0.85 * gain)


def _birds(rng: np.random.Generator, seconds: Samples) -> Samples:
    """(2, N) short phrases of falling and rising chirps, each from its own place."""
    sound = np.zeros((2, seconds.size))
    for start in np.arange(0.4, seconds[-1] - 0.8, 1.15):
        pan, base, rise = rng.uniform(-0.8, 0.8), rng.uniform(2800, 4200), rng.uniform(-900, 1200)
        begin = start + rng.uniform(0, 0.4)
        for note in range(rng.integers(2, 6)):
            part = (seconds - begin - 0.13 * note) / 0.085
            inside = (part > 0) & (part < 1)
            envelope = np.where(inside, np.sin(np.pi * np.clip(part, 0, 1)) ** 2, 0)
            phase = 2 * np.pi * 0.085 * (base * part + rise * part**2 / 2)
            sound += _panned(envelope * np.sin(phase), pan)
    return sound


def street_ambience(duration_s: float, pass_at: float, closing: float, seed: int) -> Floats:
    """(2, N) float32 stereo in [-1, 1] at RATE.

    `pass_at` is when the oncoming car passes, seconds; `closing` is its speed towards us, m/s.
    """
    rng = np.random.default_rng(seed)
    count = round(duration_s * RATE)
    seconds = np.arange(count) / RATE
    swell = 1 + 0.35 * np.sin(2 * np.pi * seconds / 3.7)
    town = np.stack([_noise(rng, count, 60, 500) for _ in range(2)]) * 0.06 * swell
    breeze = np.stack([_noise(rng, count, 500, 4000) for _ in range(2)]) * 0.018 * (2 - swell)
    own_hz = 41 + 1.5 * np.sin(2 * np.pi * seconds / 4.1) + 0.3 * np.sin(2 * np.pi * seconds * 5)
    own = _panned(0.08 * _hum(own_hz, 10), 0.0)
    car = 0.45 * _passing_car(rng, seconds, pass_at, closing)
    sound: Samples = town + breeze + own + car + 0.035 * _birds(rng, seconds)
    fade = np.clip(np.minimum(seconds, duration_s - seconds) / 0.2, 0, 1)
    sound *= fade * 0.8 / np.abs(sound).max()
    return sound.astype(np.float32)
