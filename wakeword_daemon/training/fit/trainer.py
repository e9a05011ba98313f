"""Training one word's network on streams."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm

from wakeword_daemon.engine import crnn as engine_crnn
from wakeword_daemon.engine.settings import Architecture, FeatureSettings
from wakeword_daemon.errors import TrainingError
from wakeword_daemon.storage import write_atomically
from wakeword_daemon.training.fit.composition import HardNegatives
from wakeword_daemon.training.fit.distributed import Processes
from wakeword_daemon.training.fit.export import engine_from_torch
from wakeword_daemon.training.fit.loss import stream_loss
from wakeword_daemon.training.fit.mining import find_hard_negatives
from wakeword_daemon.training.fit.network import TorchCRNN
from wakeword_daemon.training.fit.peers import Peers, peer_loss
from wakeword_daemon.training.fit.sequences import SequenceMaker, Sequences
from wakeword_daemon.training.fit.word_classifier import MultiTaskCRNN, word_classification_loss
from wakeword_daemon.training.measure.evaluation import Streams, measure
from wakeword_daemon.training.measure.metrics import TARGETS

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """How long and how fast to train.

    Attributes:
        epochs: epochs of `batches` batches of `batch_size` sequences.
        mining: epochs between two searches for hard negatives; the first comes after as many.
        rate: highest learning rate of the one-cycle schedule.
        decay: AdamW's weight decay.
        averaging: decay of the exponential moving average of the weights, per batch.
        peers: networks that train side by side, of which the first is the result.
        seed: of weights, sequences and order.

    """

    epochs: int = 32
    batches: int = 75
    batch_size: int = 128
    mining: int = 4
    rate: float = 4e-3
    decay: float = 0.02
    averaging: float = 0.998
    peers: int = 3
    seed: int = 0


AUXILIARY_WEIGHT = 0.3
"""How much telling other words apart counts beside detecting the one."""
PHRASE_AUXILIARY_WEIGHT = 1.0
"""The same for a phrase: a stranger's “snowboy” passed for “smart mirror” until it counted as much,
while single words are heard better where it counts less."""
LABELS_WEIGHT = 0.3
"""How much the labels count beside what the peers say together, once they have something to say."""
LEARNED_AFTER = 0.25
"""Share of the epochs in which the labels weigh less and less, and the peers more and more."""


class Trainer:
    """One run in a folder of its own, which a later call with the same settings resumes.

    Args:
        maker: composes the sequences.
        dev: streams to measure each epoch by.
        settings: how to train.
        folder: where checkpoints and metrics go.
        identity: what the run depends on beside its settings, as a line of text; a folder that
            holds a run of another word or of other recordings is refused by it.
        architecture, features: the network's.
        processes: those that train together; the first alone measures and writes.

    """

    def __init__(
        self,
        maker: SequenceMaker,
        dev: Streams,
        settings: TrainingSettings,
        folder: Path,
        *,
        identity: str = "",
        architecture: Architecture | None = None,
        features: FeatureSettings | None = None,
        processes: Processes | None = None,
    ) -> None:
        self._processes = processes or Processes()
        self._processes.check(settings.batch_size)
        self._maker = maker
        self._dev = dev
        self._settings = s = settings
        self._folder = folder
        self._identity = {"settings": asdict(settings), "identity": identity}
        torch.set_num_threads(1)  # as fast for networks of this size, and the same bytes again
        torch.manual_seed(s.seed)
        words = maker.composition.words
        networks = [TorchCRNN(architecture, features) for _ in range(s.peers)]
        self._architecture = networks[0].architecture
        self._peers = Peers([MultiTaskCRNN(network, words) for network in networks])
        phrase = maker.composition.takes.phrase
        self._auxiliary_weight = PHRASE_AUXILIARY_WEIGHT if phrase else AUXILIARY_WEIGHT
        self._average = AveragedModel(
            self._peers,
            multi_avg_fn=get_ema_multi_avg_fn(s.averaging),  # type: ignore[no-untyped-call]
        )
        self._optimizer = torch.optim.AdamW(
            self._peers.parameters(), lr=s.rate, weight_decay=s.decay
        )
        self._schedule = torch.optim.lr_scheduler.OneCycleLR(
            self._optimizer, s.rate, total_steps=s.epochs * s.batches, pct_start=0.15
        )
        self._epoch = 0

    def run(self, on_epoch: Callable[[dict[str, Any]], None] | None = None) -> TorchCRNN:
        """Train to the end, or on from where an earlier run was interrupted.

        Args:
            on_epoch: called with each epoch's row of metrics.

        Returns:
            the first peer, whose weights are the moving average at the end of the run.

        Raises:
            TrainingError: the loss is no longer a number, or the folder holds another run.

        """
        self._resume()
        # Every process composes the same batches, and works on its own share of each.
        self._stream = self._processes.parallel(self._peers, self._peers.forward)
        average = cast(Peers, self._average.module).first
        while self._epoch < self._settings.epochs:
            loss = self._processes.mean(self._train_epoch())
            self._epoch += 1
            engine = engine_from_torch(average)
            if self._epoch % self._settings.mining == 0 and self._epoch < self._settings.epochs:
                self._maker.hard_negatives = find_hard_negatives(engine, self._maker)
            if self._processes.first:
                row = self._measure(engine, loss)
                self._keep(row)
                if on_epoch is not None:
                    on_epoch(row)
            self._processes.wait()
        average.eval()
        return average

    def _measure(self, engine: engine_crnn.CRNN, loss: float) -> dict[str, Any]:
        report = measure(engine, self._dev)
        row = {
            "epoch": self._epoch,
            "loss": round(loss, 5),
            "hard_negatives": len(self._maker.hard_negatives.starts),
            "mean_miss": report.mean_miss(),
        }
        for target, point in zip(TARGETS, report.points, strict=True):
            row[f"miss_at_{target:g}"] = point.miss_rate
        return row

    def _train_epoch(self) -> float:
        s, share = self._settings, self._processes.share()
        rng = np.random.default_rng([s.seed, self._epoch])
        self._peers.train()
        total = 0.0
        states: Tensor | None = None
        batches = tqdm(
            range(s.batches),
            desc=f"epoch {self._epoch + 1}/{s.epochs}",
            unit="batch",
            leave=False,
            disable=not self._processes.first,
        )
        for done in batches:
            sequences = self._maker.batch(s.batch_size, rng)
            # A live stream has always heard something: start from the state that the previous
            # batch ended in, but for one sequence in five, which starts from silence.
            if states is not None:
                silent = torch.from_numpy(rng.random(s.batch_size) < 0.2)[share]  # noqa: PLR2004
                states = states.detach().masked_fill(silent[:, None], 0.0)
            log_mel = torch.from_numpy(sequences.log_mel[share])
            logits, names, states = self._stream(log_mel, states)
            losses = self._losses(logits, names, sequences)
            loss = losses.mean()
            if not torch.isfinite(loss):
                raise TrainingError(
                    f"the loss became {loss.item()} in epoch {self._epoch + 1}; "
                    "train with a lower rate, or look for recordings that are not audio"
                )
            self._optimizer.zero_grad(set_to_none=True)
            losses.sum().backward()  # type: ignore[no-untyped-call]
            for network in self._peers.networks:
                nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            self._optimizer.step()
            self._schedule.step()
            self._average.update_parameters(self._peers)
            total += loss.item()
            batches.set_postfix(loss=f"{total / (done + 1):.4f}")
        return total / s.batches

    def _losses(self, logits: Tensor, names: Tensor, sequences: Sequences) -> Tensor:
        """Return each peer's loss of a batch, [P], of what `Peers.forward` says of it."""
        share, a = self._processes.share(), self._architecture
        trust = min(1.0, (self._epoch + 1) / (LEARNED_AFTER * self._settings.epochs))
        labels = 1 - (1 - LABELS_WEIGHT) * trust
        taught = [
            labels * stream_loss(own, sequences, a, share)
            + self._auxiliary_weight * word_classification_loss(own_names, sequences, a, share)
            for own, own_names in zip(logits, names, strict=True)
        ]
        return torch.stack(taught) + trust * peer_loss(logits[..., 1] - logits[..., 0])

    def _keep(self, row: dict[str, Any]) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / "metrics.jsonl").open("a") as lines:
            lines.write(json.dumps(row) + "\n")
        places = self._maker.hard_negatives
        _save(
            self._folder / "last.pt",
            {
                **self._identity,
                "epoch": self._epoch,
                "peers": self._peers.state_dict(),
                "average": self._average.state_dict(),
                "optimizer": self._optimizer.state_dict(),
                "schedule": self._schedule.state_dict(),
                "hard_negatives": torch.from_numpy(np.stack([places.kinds, places.starts])),
            },
        )

    def _resume(self) -> None:
        last = self._folder / "last.pt"
        if not last.exists():
            return
        saved = torch.load(last, weights_only=True)
        for what, own in self._identity.items():
            if saved.get(what) != own:
                told = "with other settings" if what == "settings" else "on other recordings"
                raise TrainingError(
                    f"{self._folder} holds a run {told}; give another folder or remove it"
                )
        self._epoch = saved["epoch"]
        self._peers.load_state_dict(saved["peers"])
        self._average.load_state_dict(saved["average"])
        self._optimizer.load_state_dict(saved["optimizer"])
        self._schedule.load_state_dict(saved["schedule"])
        self._maker.hard_negatives = HardNegatives(*saved["hard_negatives"].numpy())
        logger.info("going on from epoch %d", self._epoch)


def _save(path: Path, content: dict[str, Any]) -> None:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    write_atomically(path, buffer.getvalue())
