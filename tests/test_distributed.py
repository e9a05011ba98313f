"""Processes that torchrun starts train as one would."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from support import together
from support.batches import batch
from support.recordings import manifest_corpus

from wakeword_daemon.engine import read_model
from wakeword_daemon.engine.settings import Architecture
from wakeword_daemon.errors import TrainingError
from wakeword_daemon.training.fit.distributed import Processes, joined
from wakeword_daemon.training.fit.loss import stream_loss
from wakeword_daemon.training.fit.peers import peer_loss
from wakeword_daemon.training.fit.word_classifier import word_classification_loss

pytestmark = pytest.mark.torch

ROOT = Path(__file__).resolve().parents[1]


def test_a_batch_is_divided_evenly_or_refused():
    pair = [Processes(rank, 2) for rank in range(2)]
    rows = list(range(6))
    assert [rows[p.share()] for p in pair] == [[0, 2, 4], [1, 3, 5]]
    assert [p.first for p in pair] == [True, False]
    with pytest.raises(TrainingError, match="33 cannot be shared out evenly among 2 processes"):
        pair[0].check(33)


def test_without_torchrun_there_is_one_process(monkeypatch):
    for name in ("RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    with joined() as processes:
        assert processes == Processes(0, 1)
        assert processes.mean(3.0) == 3.0
        assert processes.parallel(None, len) is len
        processes.wait()


def test_the_mean_loss_of_the_shares_is_the_loss_of_the_batch():
    architecture = Architecture()
    spoken = [(0, 150, 0), (2, 120, 0), (2, 250, 4), (6, 200, 0), (7, 90, 2)]
    sequences = batch(8, spoken)
    logits = torch.randn(8, (340 - 20) // 8 + 1, 5, generator=torch.Generator().manual_seed(0))
    shares = [Processes(rank, 4).share() for rank in range(4)]  # one of which has no word
    for loss, outputs in ((stream_loss, logits[..., :2]), (word_classification_loss, logits)):
        parts = [loss(outputs[share], sequences, architecture, share) for share in shares]
        whole = loss(outputs, sequences, architecture, slice(None))
        assert torch.stack(parts).mean().item() == pytest.approx(whole.item(), rel=1e-5)
    log_odds = torch.randn(3, 8, 41, generator=torch.Generator().manual_seed(1))
    parts = [peer_loss(log_odds[:, share]) for share in shares]
    assert torch.allclose(torch.stack(parts).mean(dim=0), peer_loss(log_odds))


def losses(run):
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    return [row["loss"] for row in rows]


def test_two_processes_train_the_same_network_as_one(tmp_path):
    recordings = manifest_corpus(tmp_path / "recordings")
    together.train(recordings, tmp_path / "cache", tmp_path / "alone")
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2",
         ROOT / "tests/support/together.py", recordings, tmp_path / "cache", tmp_path / "both"],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT}/tests"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.split()) == ["silent", "sweep"]
    both, alone = losses(tmp_path / "both"), losses(tmp_path / "alone")
    assert both[:2] == pytest.approx(alone[:2], rel=1e-3)
    # Then hard negatives are mined, and which they are hangs on the last digits of scores.
    assert both[2] == pytest.approx(alone[2], rel=0.05)
    read_model(tmp_path / "both/sweep.safetensors").self_test()
    assert (tmp_path / "both/sweep.md").exists()
