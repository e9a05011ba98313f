"""The batches of an epoch, composed ahead by other processes where there are cores to spare."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Iterator
from multiprocessing import connection

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
            worker_init_fn=_end_with_parent if workers else None,
        )
        yield from loader


def _end_with_parent(_worker: int) -> None:
    """Let this worker end when the process that trains was killed.

    It would wait for ever: to put batches into a pipe that nobody reads, and whose reading end it
    holds itself.
    """
    parent = multiprocessing.parent_process()
    if parent is None:
        raise RuntimeError("a worker is a child of the process that trains")

    def wait() -> None:
        connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
