"""Trains the test word, alone or as one of the processes of torchrun."""

import sys
from pathlib import Path
from unittest import mock

from support.measuring import few_conditions

from wakeword_daemon.training import word
from wakeword_daemon.training.fit import distributed
from wakeword_daemon.training.fit.trainer import TrainingSettings
from wakeword_daemon.training.plan import TrainingJob
from wakeword_daemon.training.word import train_word

SETTINGS = TrainingSettings(
    epochs=3, batches=8, batch_size=32, averaging=0.9, rate=3e-3, mining=2, peers=(64, 64)
)


def train(recordings, cache, run):
    job = TrainingJob(
        word="sweep", phrase="sweep", read_as="sweep", data=recordings, takes=None,
        output=run / "sweep.safetensors", run=run,
        cache=cache, synthetic=0, fold=None, licences={"tones": "CC0-1.0"},
        settings=SETTINGS, command="test",
    )  # fmt: skip
    few = mock.patch.object(word, "measurable", return_value=(few_conditions(), []))
    with few, distributed.joined() as processes:
        return train_word(job, processes=processes)


if __name__ == "__main__":
    trained = train(*map(Path, sys.argv[1:]))
    sys.stdout.write("silent\n" if trained is None else f"{trained.results.phrase}\n")
