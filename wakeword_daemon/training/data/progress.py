"""Progress of long work: one bar over all stages of a plan, or a bar for each part."""

from __future__ import annotations

import functools
import logging
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self, TypeVar

import numpy as np
from tqdm import tqdm

logger = logging.getLogger(__name__)

T = TypeVar("T")

_SPECTRA = 2.4e-4
"""Seconds for the spectra of `_pace` on the machine that plans are made for."""
_BAR = "{desc}: {percentage:3.0f}% |{bar}| about {remaining} left"


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of a plan.

    Attributes:
        title: what is done.
        seconds: how long it takes on the machine that plans are made for, about; it is weighed by
            that in the bar.

    """

    title: str
    seconds: float


class Bar:
    """The one bar over all stages of a plan, in the plan's seconds.

    The remaining time is estimated from the pace so far, so it is right on a slower or busier
    machine too. If standard error is not a terminal, each stage is one line of the log.

    Attributes:
        done: seconds of the plan that are done.

    """

    def __init__(self, stages: Sequence[Stage]) -> None:
        self._stages = {stage.title: stage for stage in stages}
        self._end = 0.0  # of the present stage
        self._bar: tqdm[Any] = tqdm(
            total=max(1.0, sum(stage.seconds for stage in stages)),
            bar_format=_BAR,
            disable=not sys.stderr.isatty(),
        )
        self.done = 0.0

    def enter(self, title: str) -> None:
        """Begin a stage of the plan; the ones before it count as done."""
        self._to(self._end)
        self._end += self._stages[title].seconds
        self._bar.set_description(title)
        if self._bar.disable:
            logger.info("%s, about %s", title, duration_here(self._stages[title].seconds))

    def advance(self, seconds: float) -> None:
        """Count seconds of the plan as done, but none beyond the present stage."""
        self._to(min(self.done + seconds, self._end))

    def close(self) -> None:
        """Take the bar away."""
        self._bar.close()

    def _to(self, seconds: float) -> None:
        self._bar.update(max(0.0, seconds - self.done))
        self.done = max(self.done, seconds)


_shown: list[Bar] = []
"""The bar of the plan that is carried out, if there is one."""


@contextmanager
def plan(stages: Sequence[Stage]) -> Iterator[Bar]:
    """Show one bar over these stages, in place of a bar for each part."""
    bar = Bar(stages)
    _shown.append(bar)
    try:
        yield bar
    finally:
        _shown.remove(bar)
        bar.close()


def enter(title: str) -> None:
    """Begin a stage of the plan; nothing where there is no plan."""
    if _shown:
        _shown[-1].enter(title)


class Progress:
    """The progress of one part: it advances the plan's bar, or has its own bar.

    That one is shown where the part takes longer than a second.

    Args:
        total: how many items there are.
        title: what is done; without a title it has no bar of its own.
        unit: what an item is.
        initial: how many were done before.

    """

    def __init__(self, total: int, title: str, unit: str, *, initial: int = 0) -> None:
        hidden = True if _shown or not title else None  # None: hidden where there is no terminal
        self._bar: tqdm[Any] = tqdm(
            total=total,
            initial=initial,
            desc=title,
            unit=unit,
            leave=False,
            disable=hidden,
            delay=1,
        )

    def advance(self, seconds: float) -> None:
        """Count one item as done, for which the plan has so many seconds."""
        self._bar.update()
        if _shown:
            _shown[-1].advance(seconds)

    def tell(self, **figures: str) -> None:
        """Show figures beside the bar."""
        self._bar.set_postfix(figures)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()


def track(
    items: Iterable[T], total: int, title: str, unit: str, seconds: float = 0.0
) -> Iterator[T]:
    """Yield items, and count each as done when the next is asked for."""
    with Progress(total, title, unit) as progress:
        for item in items:
            yield item
            progress.advance(seconds)


def duration_here(seconds: float) -> str:
    """Return in words how long this machine takes for so many seconds of a plan."""
    here = seconds * _pace()
    if here < 60:  # noqa: PLR2004 - a minute
        return f"{max(1, round(here))} s"
    return f"{round(here / 60)} min"


@functools.cache
def _pace() -> float:
    """Return how long this machine takes for a second of a plan, by some spectra that it computes.

    Other programs hardly matter: the fastest of several times counts.
    """
    waves = np.linspace(-1, 1, 200 * 512).reshape(200, 512)
    times = []
    for _ in range(50):
        begin = time.thread_time()
        np.fft.rfft(waves)
        times.append(time.thread_time() - begin)
    return min(times) / _SPECTRA
