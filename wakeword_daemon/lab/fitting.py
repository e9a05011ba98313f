"""Fitting one network to clips: epochs over augmented views, resumed where interrupted."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm

from wakeword_daemon.errors import TrainingError
from wakeword_daemon.lab.answers import Answers, Teachers, answer
from wakeword_daemon.lab.clips import FRAMES
from wakeword_daemon.lab.objective import Objective, align
from wakeword_daemon.lab.views import VIEWS, Indices, Views
from wakeword_daemon.storage import write_atomically
from wakeword_daemon.training.fit.distributed import Processes
from wakeword_daemon.training.fit.network import TorchCRNN


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long and how fast a network is fitted.

    Attributes:
        epochs: views that are heard, each once.
        batch_size: clips a step, over all processes.
        rate: highest learning rate of the one-cycle schedule.
        averaging: decay of the exponential moving average of the weights, a step.
        seed: of the weights and the order of the clips.

    """

    epochs: int
    batch_size: int = 128
    rate: float = 4e-3
    averaging: float = 0.998
    seed: int = 0


@dataclass(frozen=True)
class TrainingSetup:
    """What a network learns from.

    Attributes:
        views: the clips.
        objective: the loss.
        teachers: whose answers it learns from, or None.
        fake_quantize: shows the network with other weights, as quantised ones, while it computes.
        shrink: called with the learning rate after each step, to regularise.

    """

    views: Views
    objective: Objective
    teachers: Teachers | None = None
    fake_quantize: Callable[[TorchCRNN], AbstractContextManager[None]] | None = None
    shrink: Callable[[TorchCRNN, float], None] | None = None


class Fitter:
    """Fits a network in a folder of its own, which a later call with the same setup resumes.

    The averaged weights of the last epoch are the result: no epoch is chosen by the validation
    clips, so what is measured on them is not the luckiest of many looks.
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
        self._folder = folder
        self._processes = processes
        self._steps = len(setup.views) // s.batch_size
        self._average = AveragedModel(
            network,
            multi_avg_fn=get_ema_multi_avg_fn(s.averaging),  # type: ignore[no-untyped-call]
        )
        self._optimizer = torch.optim.AdamW(network.parameters(), lr=s.rate, weight_decay=0.02)
        self._rates = torch.optim.lr_scheduler.OneCycleLR(
            self._optimizer, s.rate, total_steps=max(2, s.epochs * self._steps), pct_start=0.15
        )
        self._alignment: Tensor | None = None
        if setup.teachers is not None:
            theirs = setup.teachers.architecture
            self._alignment = align(theirs, network.architecture, FRAMES)
        self._epoch = 0
        self._seconds = 0.0

    def run(self) -> tuple[TorchCRNN, float]:
        """Fit to the end; return the averaged network and the seconds of processor time it took.

        Raises:
            TrainingError: the loss is no longer a number.

        """
        self._resume()
        # Every process draws its own first weights; those of the first are everybody's.
        attend = self._processes.parallel(self._network, lambda mel: answer(self._network, mel))
        while self._epoch < self._schedule.epochs:
            began = time.process_time()
            loss = self._processes.mean(self._fit_epoch(attend))
            self._epoch += 1
            self._seconds += time.process_time() - began
            if self._processes.first:
                self._keep(loss)
            self._processes.wait()
        network = cast("TorchCRNN", self._average.module)
        network.eval()
        return network, self._seconds

    def _fit_epoch(self, attend: Callable[[Tensor], tuple[Tensor, Tensor]]) -> float:
        s, setup = self._schedule, self._setup
        view = self._epoch % VIEWS
        taught = self._taught(view)
        order = np.random.default_rng([s.seed, self._epoch]).permutation(len(setup.views))
        total = 0.0
        batches = tqdm(
            range(self._steps),
            desc=f"{self._folder.name}, epoch {self._epoch + 1}/{s.epochs}",
            unit="batch",
            leave=False,
            disable=None if self._processes.first else True,
        )
        for done in batches:
            rows = order[done * s.batch_size : (done + 1) * s.batch_size][self._processes.share()]
            mel = setup.views.samples(view, rows)
            total += self._step(attend, mel, rows, taught.pick(rows) if taught else None)
        return total / self._steps

    def _step(
        self,
        attend: Callable[[Tensor], tuple[Tensor, Tensor]],
        mel: Tensor,
        rows: Indices,
        taught: Answers | None,
    ) -> float:
        """Take one step of the optimizer on samples `rows` of the view; return the loss."""
        setup = self._setup
        quantized = setup.fake_quantize(self._network) if setup.fake_quantize else nullcontext()
        self._optimizer.zero_grad(set_to_none=True)
        with quantized:
            log_odds, log_attention = attend(mel)
            is_word = setup.views.is_word[rows]
            loss = setup.objective(log_odds, log_attention, is_word, taught, self._alignment)
            if not torch.isfinite(loss):
                raise TrainingError(
                    f"{self._folder.name}: the loss became {loss.item()} in epoch "
                    f"{self._epoch + 1}; give the recipe a lower rate"
                )
            loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self._network.parameters(), 1.0)
        self._optimizer.step()
        if setup.shrink:
            setup.shrink(self._network, float(self._rates.get_last_lr()[0]))
        self._rates.step()
        self._average.update_parameters(self._network)
        return loss.item()

    def _taught(self, view: int) -> Answers | None:
        teachers = self._setup.teachers
        if teachers is None:
            return None
        if self._processes.first:
            teachers.ask(view)
        self._processes.wait()
        return teachers.ask(view, write=False)

    def _keep(self, loss: float) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / "losses.jsonl").open("a") as lines:
            lines.write(json.dumps({"epoch": self._epoch, "loss": round(loss, 5)}) + "\n")
        file = io.BytesIO()
        state = {
            "epoch": self._epoch,
            "seconds": self._seconds,
            "network": self._network.state_dict(),
            "average": self._average.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "rates": self._rates.state_dict(),
        }
        torch.save(state, file)
        write_atomically(self._folder / "last.pt", file.getvalue())

    def _resume(self) -> None:
        last = self._folder / "last.pt"
        if not last.exists():
            return
        saved = torch.load(last, weights_only=True)
        self._epoch, self._seconds = saved["epoch"], saved["seconds"]
        self._network.load_state_dict(saved["network"])
        self._average.load_state_dict(saved["average"])
        self._optimizer.load_state_dict(saved["optimizer"])
        self._rates.load_state_dict(saved["rates"])
