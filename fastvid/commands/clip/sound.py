"""A short piece of music for the generated clip: soft chords and a slow arpeggio."""

import numpy as np

_BAR_S = 1.0
# I - vi - IV - V in D major, as MIDI numbers: bass, then the chord from low to high.
_CHORDS = ((38, 62, 66, 69), (35, 59, 62, 66), (43, 59, 62, 67), (45, 61, 64, 69))
_NOTES_PER_BAR = 4
_FADE_S = 0.25
_PEAK = 0.5
# Amplitudes of the overtones of the pad and of the plucked notes.
_PAD = (1.0, 0.35, 0.12)
_PLUCK = (1.0, 0.5, 0.3, 0.15, 0.08)


def compose(duration_s: float, sample_rate_hz: int) -> np.ndarray:
    """(samples, 2) float32 in [-0.5, 0.5], faded in and out; the same notes every time."""
    count = round(duration_s * sample_rate_hz)
    music = np.zeros((count, 2), np.float64)
    for bar in range(int(np.ceil(duration_s / _BAR_S))):
        chord = _CHORDS[bar % len(_CHORDS)]
        start_s = bar * _BAR_S
        for voice, key in enumerate(chord):
            tone = _tone(key, _PAD, 1.5 * _BAR_S, sample_rate_hz, decay_per_s=0.8, attack_s=0.18)
            _add(music, tone * 0.5, start_s, 0.3 + 0.13 * voice, sample_rate_hz)
        for beat in range(_NOTES_PER_BAR):
            key = chord[1 + beat % 3] + 12
            tone = _tone(key, _PLUCK, 0.9, sample_rate_hz, decay_per_s=5.0, attack_s=0.006)
            pan = 0.25 + 0.5 * (beat % 2)
            _add(music, tone * 0.4, start_s + beat * _BAR_S / _NOTES_PER_BAR, pan, sample_rate_hz)
    fade = min(count // 2, round(_FADE_S * sample_rate_hz))
    if fade:
        slope = np.linspace(0, 1, fade)[:, None]
        music[:fade] *= slope
        music[-fade:] *= slope[::-1]
    peak = float(np.abs(music).max(initial=0.0))
    return (music * (_PEAK / peak if peak else 0.0)).astype(np.float32)


def _tone(
    key: int,
    overtones: tuple[float, ...],
    length_s: float,
    sample_rate_hz: int,
    decay_per_s: float,
    attack_s: float,
) -> np.ndarray:
    """One note, (samples,) float64."""
    time_s = np.arange(round(length_s * sample_rate_hz)) / sample_rate_hz
    frequency_hz = 440.0 * 2 ** ((key - 69) / 12)
    wave = np.zeros_like(time_s)
    for number, amplitude in enumerate(overtones, start=1):
        if number * frequency_hz < sample_rate_hz / 2:
            wave += amplitude * np.sin(2 * np.pi * number * frequency_hz * time_s)
    envelope = np.minimum(time_s / attack_s, 1) * np.exp(-decay_per_s * time_s)
    release = np.clip((length_s - time_s) / 0.1, 0, 1)
    note: np.ndarray = wave * envelope * release
    return note


def _add(
    music: np.ndarray, tone: np.ndarray, start_s: float, pan: float, sample_rate_hz: int
) -> None:
    """Mixes a tone in; pan 0 is left, 1 is right, at equal power."""
    first = round(start_s * sample_rate_hz)
    part = tone[: max(0, len(music) - first)]
    music[first : first + len(part), 0] += part * np.cos(pan * np.pi / 2)
    music[first : first + len(part), 1] += part * np.sin(pan * np.pi / 2)
