"""The batches of an epoch, composed ahead by other processes where there are cores to spare."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from torch.utils.data import DataLoader, Dataset

from wakeword_daemon.training.fit.sequences import SequenceMaker, Sequences

AHEAD = 4
"""Batches that each worker keeps ready."""


class EpochBatches(Dataset[Sequences]):
    """The batches of one epoch; each has its own seed, whichever process composes it.

    Args:
        maker: composes them.
        count: batches of the epoch.
        size: sequences of a batch.
        seed: of the run, and the number of the epoch.

    """

    def __init__(self, maker: SequenceMaker, count: int, size: int, seed: tuple[int, int]) -> None:
        self._maker = maker
        self._count = count
        self._size = size
        self._seed = seed

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> Sequences:
        return self._maker.batch(self._size, np.random.default_rng([*self._seed, index]))

    def composed(self, workers: int) -> Iterator[Sequences]:
        """Yield the batches in their order.

        Args:
            workers: processes that compose them; with 0, each batch is composed when it is needed.

        """
        # Forked, so that the recordings are in memory only once.
        loader = DataLoader(
            self,
            batch_size=None,
            num_workers=workers,
            multiprocessing_context="fork" if workers else None,
            prefetch_factor=AHEAD if workers else None,
        )
        yield from loader
