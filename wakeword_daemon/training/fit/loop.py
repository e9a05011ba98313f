"""The training loop: optimizer, learning rates, averaged weights, checkpoints and resuming.

Callers decide what is trained and with which loss: `fit.trainer` trains words on streams,
`lab.fitting` networks on clips.
"""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from wakeword_daemon.errors import TrainingError
from wakeword_daemon.storage import write_atomically
from wakeword_daemon.training.data.progress import Progress
from wakeword_daemon.training.fit.distributed import Processes
from wakeword_daemon.training.fit.network import TorchCRNN

logger = logging.getLogger(__name__)

CHECKPOINT = "last.pt"
VERSION = 2
"""Of what a checkpoint holds; one of another version cannot be resumed."""
WARM_UP = 0.15
"""Share of the steps in which the learning rate rises."""
LARGEST_GRADIENT = 1.0
"""Norm that gradients are clipped to."""


@dataclass(frozen=True, slots=True)
class LoopSettings:
    """How long and how fast a network is trained.

    Attributes:
        epochs: epochs to train.
        batches: steps of the optimizer in an epoch.
        rate: highest learning rate of the one-cycle schedule.
        decay: AdamW's weight decay.
        averaging: decay of the exponential moving average of the weights, per step.
        seconds: what the plan has for a step; 0 if there is no plan.

    """

    epochs: int
    batches: int
    rate: float
    decay: float
    averaging: float
    seconds: float = 0.0


class TrainingLoop:
    """The training of one network in its own folder.

    Args:
        network: what is trained, in place.
        settings: how.
        folder: where the checkpoint and the log are kept; its name is shown with the progress.
        log: name of the log, one JSON object an epoch.
        processes: those that train together; the first alone writes.
        identity: what the run depends on, by name; a folder that holds a run with anything else is
            refused.
        clipped: the parts of the network whose gradients are clipped each by itself; by default the
            whole.

    Attributes:
        epoch: epochs that are done.
        average: the network with averaged weights, which is the result.

    """

    def __init__(
        self,
        network: nn.Module,
        settings: LoopSettings,
        folder: Path,
        processes: Processes,
        *,
        log: str,
        identity: Mapping[str, Any] | None = None,
        clipped: Sequence[nn.Module] | None = None,
    ) -> None:
        self._network = network
        self._device = next(network.parameters()).device
        self._settings = s = settings
        self._folder = folder
        self._processes = processes
        self._log = folder / log
        self._identity = dict(identity or {})
        self._clipped = [network] if clipped is None else list(clipped)
        self._networks = [part for part in network.modules() if isinstance(part, TorchCRNN)]
        self._averaged = AveragedModel(
            network,
            multi_avg_fn=get_ema_multi_avg_fn(s.averaging),  # type: ignore[no-untyped-call]
        )
        self._optimizer = torch.optim.AdamW(network.parameters(), lr=s.rate, weight_decay=s.decay)
        self._rates = torch.optim.lr_scheduler.OneCycleLR(
            self._optimizer,
            s.rate,
            total_steps=max(2, s.epochs * s.batches),
            pct_start=WARM_UP,
        )
        self._total = 0.0
        self.epoch = 0

    @property
    def average(self) -> nn.Module:
        """The network with averaged weights."""
        return self._averaged.module

    def epochs(self) -> Iterator[int]:
        """Yield the number of every epoch that is still to be trained, from 0."""
        while self.epoch < self._settings.epochs:
            yield self.epoch

    def batches(self) -> Iterator[int]:
        """Yield the number of every batch of an epoch, from 0; a terminal shows the progress."""
        s = self._settings
        self._total = 0.0
        title = f"{self._folder.name}, epoch {self.epoch + 1}/{s.epochs}"
        with Progress(s.batches, title if self._processes.first else "", "batch") as progress:
            for done in range(s.batches):
                yield done
                progress.advance(s.seconds)
                progress.tell(loss=f"{self._total / (done + 1):.4f}")

    def backward(self, losses: Tensor) -> None:
        """Compute the gradients of a batch.

        Args:
            losses: one number, or one for each of several networks that learn side by side.

        Raises:
            TrainingError: the loss is no longer a finite number.

        """
        loss = losses.mean()
        if not torch.isfinite(loss):
            raise TrainingError(
                f"{self._folder}: the loss became {loss.item()} in epoch {self.epoch + 1}; a lower "
                "learning rate may help, or leaving out recordings that are not speech"
            )
        self._total += loss.item()
        self._optimizer.zero_grad(set_to_none=True)
        losses.sum().backward()  # type: ignore[no-untyped-call]

    def update(self, regularise: Callable[[float], None] | None = None) -> None:
        """Take one step of the optimizer.

        Args:
            regularise: called with the learning rate after the step, to change the weights further.

        """
        for part in self._clipped:
            nn.utils.clip_grad_norm_(part.parameters(), LARGEST_GRADIENT)
        self._optimizer.step()
        if regularise is not None:
            regularise(float(self._rates.get_last_lr()[0]))
        for network in self._networks:
            network.limit_energies()
        self._rates.step()
        self._averaged.update_parameters(self._network)

    def loss(self) -> float:
        """Return the mean loss of the epoch's batches, over all processes."""
        return self._processes.mean(self._total / self._settings.batches)

    def finish_epoch(
        self, figures: Mapping[str, Any] | None = None, own: Mapping[str, Any] | None = None
    ) -> None:
        """Finish the epoch; the first process writes the log and the checkpoint.

        Args:
            figures: what the log tells of the epoch.
            own: what the caller needs to resume, as tensors and plain data.

        """
        self.epoch += 1
        if not self._processes.first:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        with self._log.open("a") as lines:
            lines.write(json.dumps(figures) + "\n")
        content = io.BytesIO()
        state = {
            "version": VERSION,
            "identity": self._identity,
            "epoch": self.epoch,
            "network": self._network.state_dict(),
            "average": self._averaged.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "rates": self._rates.state_dict(),
            "own": dict(own or {}),
        }
        torch.save(state, content)
        write_atomically(self._folder / CHECKPOINT, content.getvalue())

    def resume(self) -> dict[str, Any] | None:
        """Resume from the checkpoint in the folder.

        Returns:
            the caller's own part of it, as `finish_epoch` was given it; None if there is none.

        Raises:
            TrainingError: the folder holds another run.

        """
        file = self._folder / CHECKPOINT
        if not file.exists():
            return None
        saved = torch.load(file, map_location=self._device, weights_only=True)
        if saved.get("version") != VERSION:
            self._refuse("from another version of this program")
        for what, ours in self._identity.items():
            if saved["identity"].get(what) != ours:
                self._refuse(f"with other {what}")
        self.epoch = saved["epoch"]
        self._network.load_state_dict(saved["network"])
        self._averaged.load_state_dict(saved["average"])
        self._optimizer.load_state_dict(saved["optimizer"])
        self._rates.load_state_dict(saved["rates"])
        logger.info("%s: resuming after epoch %d", self._folder.name, self.epoch)
        own: dict[str, Any] = saved["own"]
        return own

    def _refuse(self, what: str) -> None:
        raise TrainingError(f"{self._folder} holds a run {what}; give another folder or remove it")
