"""Fits one network to clips, in epochs over augmented views; an interrupted fit can be resumed."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np
from torch import Tensor

from wakeword_daemon.lab.answers import Answers, Teachers, answer
from wakeword_daemon.lab.clips import FRAMES
from wakeword_daemon.lab.objective import Objective, align
from wakeword_daemon.lab.views import VIEWS, Indices, Views
from wakeword_daemon.training.fit.distributed import Processes
from wakeword_daemon.training.fit.loop import LoopSettings, TrainingLoop
from wakeword_daemon.training.fit.network import TorchCRNN

WEIGHT_DECAY = 0.02

Attend = Callable[[Tensor], tuple[Tensor, Tensor]]
"""A function from clips to log-odds and the logarithm of the attention, like `answer`."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long and how fast a network is fitted.

    Attributes:
        epochs: number of epochs; each uses one view.
        batch_size: clips in a step, of all processes together.
        rate: highest learning rate of the one-cycle schedule.
        averaging: decay of the exponential moving average of the weights, in a step.
        seed: seed of the weights and of the order of the clips.

    """

    epochs: int
    batch_size: int = 128
    rate: float = 4e-3
    averaging: float = 0.998
    seed: int = 0


@dataclass(frozen=True)
class TrainingSetup:
    """What a network is fitted to, and how.

    Attributes:
        views: the clips.
        objective: the loss.
        teachers: the teachers whose answers it learns from, or None.
        fake_quantize: context in which the network computes with quantized weights, or None.
        shrink: called with the network and the learning rate after each step, or None.

    """

    views: Views
    objective: Objective
    teachers: Teachers | None = None
    fake_quantize: Callable[[TorchCRNN], AbstractContextManager[None]] | None = None
    shrink: Callable[[TorchCRNN, float], None] | None = None


class Fitter:
    """Trains a network in its own folder, where a later call with the same setup resumes.

    The result is the averaged weights of the last epoch. No epoch is selected with the validation
    clips, so the result is not the best of many tries.

    Args:
        network: the network, which is fitted in place.
        setup: what it is fitted to.
        schedule: how long and how fast.
        folder: folder for the checkpoint and losses.jsonl.
        processes: the processes that train together; only the first one writes.

    """

    def __init__(
        self,
        network: TorchCRNN,
        setup: TrainingSetup,
        schedule: Schedule,
        folder: Path,
        processes: Processes,
    ) -> None:
        self._network = network
        self._setup = setup
        self._schedule = s = schedule
        self._processes = processes
        batches = len(setup.views) // s.batch_size
        self._loop = TrainingLoop(
            network,
            LoopSettings(s.epochs, batches, s.rate, WEIGHT_DECAY, s.averaging),
            folder,
            processes,
            log="losses.jsonl",
        )
        self._alignment: Tensor | None = None
        if setup.teachers is not None:
            theirs = setup.teachers.architecture
            self._alignment = align(theirs, network.architecture, FRAMES)
        self._seconds = 0.0

    def run(self) -> tuple[TorchCRNN, float]:
        """Fit to the end; return the averaged network and the seconds of processor time it took.

        Raises:
            TrainingError: the loss is no longer a number.

        """
        own = self._loop.resume()
        if own is not None:
            self._seconds = own["seconds"]
        # Every process draws first weights; all start with those of the first process.
        attend = self._processes.parallel(self._network, lambda mel: answer(self._network, mel))
        for epoch in self._loop.epochs():
            began = time.process_time()
            self._fit_epoch(epoch, attend)
            loss = self._loop.loss()
            self._seconds += time.process_time() - began
            row = {"epoch": epoch + 1, "loss": round(loss, 5)}
            self._loop.finish_epoch(row, {"seconds": self._seconds})
            self._processes.wait()
        network = cast("TorchCRNN", self._loop.average)
        network.eval()
        return network, self._seconds

    def _fit_epoch(self, epoch: int, attend: Attend) -> None:
        s, setup = self._schedule, self._setup
        view = epoch % VIEWS
        taught = self._taught(view)
        order = np.random.default_rng([s.seed, epoch]).permutation(len(setup.views))
        for done in self._loop.batches():
            rows = order[done * s.batch_size : (done + 1) * s.batch_size][self._processes.share()]
            mel = setup.views.samples(view, rows)
            self._step(attend, mel, rows, taught.pick(rows) if taught else None)

    def _step(self, attend: Attend, mel: Tensor, rows: Indices, taught: Answers | None) -> None:
        """Take one step of the optimizer on samples `rows` of the view."""
        setup = self._setup
        quantized = setup.fake_quantize(self._network) if setup.fake_quantize else nullcontext()
        with quantized:
            log_odds, log_attention = attend(mel)
            is_word = setup.views.is_word[rows]
            loss = setup.objective(log_odds, log_attention, is_word, taught, self._alignment)
            self._loop.backward(loss)
        shrink = setup.shrink
        self._loop.update(None if shrink is None else partial(shrink, self._network))

    def _taught(self, view: int) -> Answers | None:
        teachers = self._setup.teachers
        if teachers is None:
            return None
        with self._processes.first_alone():  # the others find the answers in the cache
            return teachers.ask(view)
