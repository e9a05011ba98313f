"""Finds what is wrong with sound that arrives: clipping, offset, hum, a dead channel, a wrong rate.

`zeros` is about sound that stops; here sound goes on, but words are hard to hear in it. One hop of
80 ms is checked every second, because each of these problems lasts.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from operator import mul
from typing import TYPE_CHECKING, Literal

from wakeword_daemon.buffers import view
from wakeword_daemon.clock import HOP, SAMPLE_RATE
from wakeword_daemon.levels import SILENCE, decibels, power

if TYPE_CHECKING:
    from wakeword_daemon.pcm import Samples

ProblemName = Literal["clipping", "offset", "hum", "dead-channel", "wrong-rate", "unsteady"]

_EVERY = 1.0
"""Seconds from one look to the next."""

_LOOKS = 10
"""Looks that are evaluated together."""

_CLIPPED = 1e-3
"""Share of samples at full scale from which a look counts as clipped: audible distortion."""

_CLIPPED_LOOKS = 2
"""Clipped looks that are a problem: one loud noise is not."""

_OFFSET = 0.01
"""Share of full scale by which the mean may be off."""

_HUM = -50.0
"""dBFS from which the tone of the mains can drown quiet speech."""

_HUM_SHARE = 0.5
"""Share of all power that is the tone's in a hum; speech and music share theirs out."""

_MAINS = (50, 60)
"""Hz."""

_DEAD = 40.0
"""Decibels that a dead channel is below the loudest one."""

_AUDIBLE = -75.0
"""dBFS that the loudest channel has at least, to say that another is dead."""

_STRETCH = 10.0
"""Seconds in which the rate is measured; delivery jitters by 160 ms."""

_OFF = 0.05
_ALIKE = 0.02
"""Share by which the rate is wrong, and by which two stretches may differ that agree on it.

44.1 kHz taken for 48 is off by 0.08; audio that a busy machine loses is not lost so evenly.
"""

_BREAKS = 4
_MINUTE = 60.0
"""Times that the sound may break off in so many seconds."""

_SUMMED = 16
"""Samples, one millisecond."""

_FULL = 32_767


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is wrong with the sound of a microphone."""

    name: ProblemName
    text: str
    """What is wrong and what helps, in a sentence."""


@dataclass(frozen=True, slots=True)
class _Look:
    """What one hop shows."""

    clipped: float
    mean: float
    hums: tuple[float, ...]  # dBFS of each tone of the mains, SILENCE where it is not most of it
    channels: tuple[float, ...]  # dBFS of each channel


class ProblemWatch:
    """Follows the blocks of one microphone, however often it is opened; used on one thread.

    Args:
        channel: the channel that is kept, counted from 1, or "mix" for the mean of all.

    Attributes:
        problems: what is wrong now.

    """

    def __init__(self, channel: int | Literal["mix"] = 1) -> None:
        self.problems: tuple[Problem, ...] = ()
        self._channel = channel
        self._looks: deque[_Look] = deque(maxlen=_LOOKS)
        self._since_look = 0.0
        self._breaks: deque[float] = deque(maxlen=_BREAKS)
        self._measured: deque[float] = deque(maxlen=2)  # shares of the promised rate
        self._recorded = 0.0
        self._begin: float | None = None

    def broke_off(self, now: float) -> None:
        """Note that the sound broke off, at a time in seconds."""
        self._breaks.append(now)
        self._begin = None

    def due(self, duration: float) -> bool:
        """Count a block; return whether to look at it.

        Args:
            duration: seconds that it lasts at the rate that the device promised.

        """
        self._recorded += duration
        self._since_look += duration
        return self._since_look >= _EVERY

    def look(self, pcm: Samples, raw: Samples, channels: int, captured: float) -> bool:
        """Look at a block; return whether `problems` are others now.

        Args:
            pcm: int16[n] at 16 kHz.
            raw: int16[m * channels], the same before it was converted.
            channels: how many.
            captured: when it was over, in seconds.

        """
        if len(pcm) < HOP:
            return False
        self._since_look = 0.0
        self._measure_rate(captured)
        self._looks.append(_look(pcm[-HOP:], raw[-HOP * channels :], channels))
        problems = tuple(self._judge(captured))
        changed = [one.name for one in problems] != [one.name for one in self.problems]
        self.problems = problems
        return changed

    def interrupted(self) -> None:
        """Start to measure the rate again, because audio was lost."""
        self._begin = None

    def _measure_rate(self, captured: float) -> None:
        if self._begin is None:
            self._begin, self._recorded = captured, 0.0
            return
        took = captured - self._begin
        if took >= _STRETCH:
            self._measured.append(self._recorded / took)
            self._begin, self._recorded = captured, 0.0

    def _judge(self, now: float) -> list[Problem]:
        found = judge(list(self._looks), self._channel) if len(self._looks) == _LOOKS else []
        if len(self._measured) == self._measured.maxlen:
            share = sum(self._measured) / len(self._measured)
            spread = max(self._measured) - min(self._measured)
            if abs(share - 1) > _OFF and spread < _ALIKE:
                found.append(_wrong_rate(share))
        if len(self._breaks) == _BREAKS and now - self._breaks[0] < _MINUTE:
            found.append(
                Problem(
                    "unsteady",
                    f"the microphone failed {_BREAKS} times within a minute: check its plug and"
                    " its power",
                )
            )
        return found


def examine(
    pcm: Samples, raw: Samples, channels: int, channel: int | Literal["mix"]
) -> list[Problem]:
    """Return what is wrong with a recording of some seconds.

    Args:
        pcm: int16[n] at 16 kHz.
        raw: int16[m * channels], the same before it was converted.
        channels: how many.
        channel: as `ProblemWatch` takes it.

    """
    count = len(pcm) // HOP
    each = len(raw) // channels // max(count, 1) * channels
    looks = [
        _look(pcm[at * HOP : (at + 1) * HOP], raw[at * each : (at + 1) * each], channels)
        for at in range(count)
    ]
    return judge(looks, channel) if looks else []


def judge(looks: list[_Look], channel: int | Literal["mix"]) -> list[Problem]:
    """Return what some looks have in common."""
    found = []
    clipped = [look.clipped for look in looks if look.clipped > _CLIPPED]
    if len(clipped) >= _CLIPPED_LOOKS:
        found.append(
            Problem(
                "clipping",
                f"up to {max(clipped):.1%} of the samples are clipped: turn the microphone down",
            )
        )
    mean = sum(look.mean for look in looks) / len(looks)
    if abs(mean) > _OFFSET and not clipped:  # which moves the mean too
        found.append(
            Problem(
                "offset",
                f"the signal is off centre by {abs(mean):.0%} of full scale: the microphone or its"
                " amplifier is faulty",
            )
        )
    for mains, *levels in zip(_MAINS, *(look.hums for look in looks), strict=True):
        hum = sorted(levels)[len(levels) // 2]
        if hum > _HUM:
            found.append(
                Problem(
                    "hum",
                    f"it hums at {mains} Hz, {hum:.0f} dBFS: use another cable or power supply",
                )
            )
            break
    found += _dead_channel(looks, channel)
    return found


def _look(pcm: Samples, raw: Samples, channels: int) -> _Look:
    samples = view(pcm)
    count = len(samples)
    clipped = 0.0
    if max(samples) >= _FULL or min(samples) <= -_FULL:
        values = samples.tolist()
        clipped = sum(map(values.count, (_FULL, -_FULL, -_FULL - 1))) / count
    # The tones of the mains are so low that the sum of a millisecond is as good as its samples.
    sums = [sum(samples[start : start + _SUMMED]) for start in range(0, count, _SUMMED)]
    mean = sum(sums) / count
    alternating = power(samples) - mean**2
    wave = [one - mean * _SUMMED for one in sums]
    hums = []
    for cosines, sines in _TONES:
        cosine, sine = sum(map(mul, cosines, wave)), sum(map(mul, sines, wave))
        of_tone = 2 * (cosine**2 + sine**2) / count**2
        hums.append(decibels(of_tone) if of_tone > _HUM_SHARE * alternating else SILENCE)
    levels: list[float] = []
    if channels > 1:
        for channel in range(channels):
            one = view(raw)[channel::channels]
            levels.append(decibels(max(power(one) - (sum(one) / len(one)) ** 2, 0.0)))
    return _Look(clipped, mean / _FULL, tuple(hums), tuple(levels))


_TONES = [
    tuple(
        [wave(2 * math.pi * frequency * at / SAMPLE_RATE) for at in range(0, HOP, _SUMMED)]
        for wave in (math.cos, math.sin)
    )
    for frequency in _MAINS
]
"""A cosine and a sine of each of `_MAINS`, a number for each of the sums of a hop."""


def _dead_channel(looks: list[_Look], channel: int | Literal["mix"]) -> list[Problem]:
    if not looks[0].channels:
        return []
    levels = [max(of_one) for of_one in zip(*(look.channels for look in looks), strict=True)]
    loudest = max(levels)
    dead = [number for number, one in enumerate(levels, 1) if one < loudest - _DEAD]
    best = levels.index(loudest) + 1
    if loudest < _AUDIBLE or not dead or (channel != "mix" and channel not in dead):
        return []
    return [
        Problem(
            "dead-channel",
            f"channel {' and '.join(map(str, dead))} of the microphone is dead, and channel {best}"
            f" is not: set audio: {{channel: {best}}}",
        )
    ]


def _wrong_rate(share: float) -> Problem:
    pitch = "high" if share < 1 else "low"
    return Problem(
        "wrong-rate",
        f"the microphone delivers {share:.1%} of the samples that its rate promises, so everything"
        f" sounds {abs(1 / share - 1):.0%} too {pitch}: let the sound server open it at another"
        " rate, or use another microphone",
    )
