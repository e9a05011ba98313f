"""Training by several processes: `torchrun --nproc-per-node 2 -m -- wakeword_daemon train …`.

Every process makes the same batches from the same seeds, and works on its own share of each. The
gradients are averaged (DistributedDataParallel), so several processes take the same steps as one.
Without torchrun there is one process, and nothing here costs time.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from wakeword_daemon.errors import TrainingError

LONGEST_WAIT = timedelta(hours=2)
"""How long the others wait while the first process works alone, for example to read a corpus."""


@dataclass(frozen=True, slots=True)
class Processes:
    """The processes that train together, as seen by one of them.

    Attributes:
        rank: number of this process; only process 0 measures, prints and writes.
        size: number of processes.

    """

    rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        """Whether this process measures, prints and writes for all."""
        return self.rank == 0

    def check(self, batch_size: int) -> None:
        """Refuse a batch that cannot be divided evenly, as its average would be another one.

        Raises:
            TrainingError: the batch cannot be divided evenly among the processes.

        """
        if batch_size % self.size:
            raise TrainingError(
                f"a batch of {batch_size} cannot be shared out evenly among {self.size} processes"
            )

    def share(self) -> slice:
        """Return the rows of a batch that this process works on."""
        return slice(self.rank, None, self.size)

    def parallel(self, network: nn.Module, method: Callable[..., Any]) -> Callable[..., Any]:
        """Return a method of `network` that averages gradients over all processes.

        Every process then begins with the weights of the first.
        """
        if self.size == 1:
            return method
        return DistributedDataParallel(_Through(network, method))

    def mean(self, value: float) -> float:
        """Return the mean of a number over all processes."""
        if self.size == 1:
            return value
        total = torch.tensor(value, dtype=torch.float64)
        distributed.all_reduce(total)
        return float(total) / self.size

    @contextmanager
    def first_alone(self) -> Iterator[None]:
        """Run the first process before the others, so that they find the cache filled."""
        if not self.first:
            self.wait()
        yield
        if self.first:
            self.wait()

    def wait(self) -> None:
        """Wait until all processes have called this."""
        if self.size > 1:
            distributed.barrier()


@contextmanager
def joined() -> Iterator[Processes]:
    """Join the processes that torchrun started; without torchrun, be the only one."""
    if "RANK" not in os.environ or "WORLD_SIZE" not in os.environ:
        yield Processes()
        return
    distributed.init_process_group("gloo", timeout=LONGEST_WAIT)
    try:
        yield Processes(distributed.get_rank(), distributed.get_world_size())
    finally:
        distributed.destroy_process_group()


class _Through(nn.Module):
    """Makes a method of a network its `forward`, the only one whose gradients are averaged."""

    def __init__(self, network: nn.Module, method: Callable[..., Any]) -> None:
        super().__init__()
        self.network = network
        self._method = method

    def forward(self, *arguments: Tensor) -> Any:  # noqa: ANN401 -- whatever the method returns
        return self._method(*arguments)
