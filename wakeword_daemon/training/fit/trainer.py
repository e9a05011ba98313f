"""Training one word's network on streams."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from wakeword_daemon.engine.crnn import CRNN
from wakeword_daemon.engine.settings import Architecture, FeatureSettings
from wakeword_daemon.errors import TrainingError
from wakeword_daemon.training.fit.batches import EpochBatches
from wakeword_daemon.training.fit.composition import HardNegatives
from wakeword_daemon.training.fit.distributed import Processes
from wakeword_daemon.training.fit.export import engine_from_torch
from wakeword_daemon.training.fit.loop import LoopSettings, TrainingLoop
from wakeword_daemon.training.fit.loss import near_word, stream_loss
from wakeword_daemon.training.fit.mining import find_hard_negatives
from wakeword_daemon.training.fit.network import TorchCRNN
from wakeword_daemon.training.fit.peers import Peers, peer_loss
from wakeword_daemon.training.fit.sequences import SequenceMaker, Sequences
from wakeword_daemon.training.fit.softlabels import divergence
from wakeword_daemon.training.fit.teachers import Teachers, taught
from wakeword_daemon.training.fit.word_classifier import MultiTaskCRNN, word_classification_loss
from wakeword_daemon.training.measure.evaluation import FeatureStreams, measure
from wakeword_daemon.training.measure.metrics import TARGETS


@dataclass(frozen=True, slots=True)
class TrainingSettings:
    """How long and how fast to train.

    Attributes:
        epochs: epochs of `batches` batches of `batch_size` sequences.
        mining: epochs between two searches for hard negatives; the first comes after as many.
        rate: highest learning rate of the one-cycle schedule.
        decay: AdamW's weight decay.
        averaging: decay of the exponential moving average of the weights, per batch.
        peers: units in the GRU layers of the networks that train side by side, of which the first
            is the result; wider ones are better teachers, and cost more to train.
        seed: of weights, sequences and order.

    """

    epochs: int = 48
    batches: int = 300
    batch_size: int = 32
    mining: int = 4
    rate: float = 3e-3
    decay: float = 0.02
    averaging: float = 0.999
    peers: tuple[int, ...] = (64, 64, 64)
    seed: int = 0

    @property
    def batch_seconds(self) -> float:
        """What a batch takes on two idle cores, for plans."""
        networks = sum(math.pow(units / 64, _WIDTH_COST) for units in self.peers)
        return _SEQUENCE_SECONDS * self.batch_size * networks


_SEQUENCE_SECONDS = 0.11 / (32 * 3)
"""What a network of 64 units takes to learn from one sequence, where another core composes them."""
_WIDTH_COST = 1.15
"""One of twice the width takes 2.2 times as long."""


def pick_device(wanted: str | None) -> str:
    """Return the device to train on, as torch names it: by default a graphics card if there is one.

    Raises:
        TrainingError: torch cannot compute on the one that is wanted.

    """
    if wanted is None:
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=wanted)
    except (RuntimeError, AssertionError):
        raise TrainingError(
            f"torch cannot compute on {wanted!r} here; without --device it takes a graphics card "
            "where it finds one, and else the processor"
        ) from None
    return wanted


FINE_TUNING_RATE = 1e-3
"""Highest learning rate of a network that starts from the weights of a model of the same word."""
AUXILIARY_WEIGHT = 0.3
"""How much classifying all known words counts beside detecting the one."""
PHRASE_AUXILIARY_WEIGHT = 1.0
"""The same for a phrase. A stranger's “snowboy” was taken for “smart mirror” until it counted as
much; single words are detected better where it counts less."""
LABELS_WEIGHT = 0.3
"""How much the labels count, in the end, beside the mean of the peers, or beside teachers."""
LEARNED_AFTER = 0.25
"""Share of the epochs over which the weight moves from the labels to the peers."""
SILENT_START = 0.2
"""Share of the sequences that a stream begins with."""

Stream = Callable[[Tensor, list[Tensor] | None], tuple[Tensor, Tensor, list[Tensor]]]
"""From log-mel frames and GRU states to what `Peers.forward` returns."""


class Trainer:
    """One run in its own folder, which a later call with the same settings resumes.

    Args:
        maker: composes the sequences.
        dev: streams to measure each epoch by.
        settings: how to train.
        folder: where the checkpoint and metrics.jsonl go.
        identity: what the run depends on beside its settings, as a line of text; a folder that
            holds a run of another word or on other recordings is refused by it.
        architecture, features: the network's.
        starts: trained networks of the same shape, whose weights the peers start from, in their
            order; further peers start from chance.
        teachers: trained networks of the same word, of any width, to learn from; their log-odds
            must have one scale. Peers then do not teach each other.
        processes: those that train together; the first alone measures and writes.
        device: what computes, as torch names it.
        workers: processes that compose sequences ahead.

    """

    def __init__(
        self,
        maker: SequenceMaker,
        dev: FeatureStreams,
        settings: TrainingSettings,
        folder: Path,
        *,
        identity: str = "",
        architecture: Architecture | None = None,
        features: FeatureSettings | None = None,
        starts: Sequence[TorchCRNN] = (),
        teachers: Sequence[TorchCRNN] = (),
        processes: Processes | None = None,
        device: str = "cpu",
        workers: int = 0,
    ) -> None:
        self._processes = processes or Processes()
        self._processes.check(settings.batch_size)
        self._maker = maker
        self._dev = dev
        self._settings = s = settings
        torch.set_num_threads(1)  # as fast for networks of this size, and the same bytes again
        torch.manual_seed(s.seed)
        words = maker.composition.words
        self._device = torch.device(device)
        self._workers = workers
        shapes = [replace(architecture or Architecture(), hidden=units) for units in s.peers]
        self._architecture = shapes[0]
        networks = [MultiTaskCRNN(TorchCRNN(shape, features), words) for shape in shapes]
        for peer, start in zip(networks, starts, strict=False):
            peer.network.load_state_dict(start.state_dict())
        self._peers = Peers(networks).to(self._device)
        self._teachers = Teachers(teachers).to(self._device) if teachers else None
        phrase = maker.composition.takes.phrase
        self._auxiliary_weight = PHRASE_AUXILIARY_WEIGHT if phrase else AUXILIARY_WEIGHT
        self._loop = TrainingLoop(
            self._peers,
            LoopSettings(s.epochs, s.batches, s.rate, s.decay, s.averaging, s.batch_seconds),
            folder,
            self._processes,
            log="metrics.jsonl",
            identity={"settings": asdict(s), "recordings": identity},
            clipped=list(self._peers.networks),
        )

    def run(self, on_epoch: Callable[[dict[str, Any]], None] | None = None) -> TorchCRNN:
        """Train to the end, or on from where an earlier run was interrupted.

        Args:
            on_epoch: called with each epoch's row of metrics.

        Returns:
            the first peer, whose weights are the moving average at the end of the run.

        Raises:
            TrainingError: the loss is no longer a number, or the folder holds another run.

        """
        own = self._loop.resume()
        if own is not None:
            self._maker.hard_negatives = HardNegatives(*own["hard_negatives"].cpu().numpy())
        # Every process composes the same batches, and works on its own share of each.
        stream = self._processes.parallel(self._peers, self._peers.forward)
        average = cast(Peers, self._loop.average).first
        for epoch in self._loop.epochs():
            self._train_epoch(epoch, stream)
            loss = self._loop.loss()
            done = epoch + 1
            if done % self._settings.mining == 0 and done < self._settings.epochs:
                self._maker.hard_negatives = find_hard_negatives(average, self._maker)
            places = self._maker.hard_negatives
            row: dict[str, Any] = {}
            if self._processes.first:
                row = {
                    "epoch": done,
                    "loss": round(loss, 5),
                    "hard_negatives": len(places.starts),
                    **self._measure(engine_from_torch(average)),
                }
            kept = torch.from_numpy(np.stack([places.kinds, places.starts]))
            self._loop.finish_epoch(row, {"hard_negatives": kept})
            if self._processes.first and on_epoch is not None:
                on_epoch(row)
            self._processes.wait()
        return average.cpu().eval()

    def _measure(self, engine: CRNN) -> dict[str, float]:
        report = measure(engine, self._dev)
        points = zip(TARGETS, report.points, strict=True)
        at_targets = {f"miss_at_{target:g}": point.miss_rate for target, point in points}
        return {"mean_miss": report.mean_miss(), **at_targets}

    def _train_epoch(self, epoch: int, stream: Stream) -> None:
        s, share = self._settings, self._processes.share()
        rng = np.random.default_rng([s.seed, epoch])
        batches = EpochBatches(self._maker, s.batches, s.batch_size, (s.seed, epoch))
        composed = batches.composed(self._workers)
        self._peers.train()
        states: list[Tensor] | None = None
        teaching: list[Tensor] | None = None  # the states of the teachers
        for _ in self._loop.batches():
            sequences = next(composed)
            # A live stream has always heard something: start from the state that the previous
            # batch ended in, but for one sequence in five, which starts from silence.
            if states is not None:
                silent = torch.from_numpy(rng.random(s.batch_size) < SILENT_START)[share]
                silent = silent.to(self._device)[:, None]
                states = [state.detach().masked_fill(silent, 0.0) for state in states]
                if teaching is not None:
                    teaching = [state.masked_fill(silent, 0.0) for state in teaching]
            log_mel = torch.from_numpy(sequences.log_mel[share]).to(self._device)
            logits, words, states = stream(log_mel, states)
            said = None
            if self._teachers is not None:
                clear = torch.from_numpy(sequences.clear[share]).to(self._device)
                said, teaching = self._teachers(clear, teaching)
            self._loop.backward(self._losses(epoch, logits, words, sequences, said))
            self._loop.update()

    def _losses(
        self, epoch: int, logits: Tensor, words: Tensor, sequences: Sequences, said: Tensor | None
    ) -> Tensor:
        """Return each peer's loss of a batch, [P], from what `Peers.forward` returned.

        `said` is the log-odds of every teacher, [T, B, steps]; None without any.
        """
        share, a = self._processes.share(), self._architecture
        log_odds = logits[..., 1] - logits[..., 0]
        if said is not None:  # teachers have learned already
            near = near_word(sequences, a, said.shape[-1], said.device)[share]
            trust, soft = 1.0, divergence(log_odds, taught(said, near))
        elif len(logits) > 1:
            trust = min(1.0, (epoch + 1) / (LEARNED_AFTER * self._settings.epochs))
            soft = peer_loss(log_odds)
        else:  # one alone learns from nobody
            trust, soft = 0.0, torch.zeros(1, device=log_odds.device)
        labels = 1 - (1 - LABELS_WEIGHT) * trust
        labelled = [
            labels * stream_loss(own, sequences, a, share)
            + self._auxiliary_weight * word_classification_loss(own_words, sequences, a, share)
            for own, own_words in zip(logits, words, strict=True)
        ]
        return torch.stack(labelled) + trust * soft
