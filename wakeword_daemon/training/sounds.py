"""Trains the network of speech sounds: `python -m wakeword_daemon.training.sounds --data DIR …`.

It learns from recordings whose words are known, from what people say in others
(`data.transcripts`), and from synthetic voices. `engine.sounds` says what it is for.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import torch
import yaml
from torchaudio.functional import edit_distance

from wakeword_daemon import xdg
from wakeword_daemon.engine.modelfile import Origin, TrainingSource
from wakeword_daemon.engine.settings import FeatureSettings
from wakeword_daemon.engine.sounds import SOUNDS
from wakeword_daemon.engine.soundsfile import SoundsCard, save_sounds
from wakeword_daemon.errors import WakewordError
from wakeword_daemon.resources import root
from wakeword_daemon.storage import write_atomically
from wakeword_daemon.training.data.corpus import read_corpus
from wakeword_daemon.training.data.transcripts import read_transcripts
from wakeword_daemon.training.fit.distributed import Processes, joined
from wakeword_daemon.training.fit.loop import LoopSettings, TrainingLoop
from wakeword_daemon.training.fit.soundnetwork import ARCHITECTURE, TorchSounds, loss
from wakeword_daemon.training.fit.soundsequences import (
    QUIET,
    SoundComposition,
    SoundSequenceMaker,
    Spoken,
    as_heard,
)
from wakeword_daemon.training.origin import origin
from wakeword_daemon.training.runfolder import METRICS, check_output, held
from wakeword_daemon.training.soundspeech import speech_with_sounds

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class SoundsSettings:
    """How the network is trained.

    Attributes:
        epochs, batches: epochs, and batches in each.
        batch_size: sequences of 6 s in a batch.
        rate: highest learning rate.
        decay: weight decay.
        averaging: decay of the moving average of the weights.
        seed: of everything that is drawn.

    """

    epochs: int = 40
    batches: int = 250
    batch_size: int = 64
    rate: float = 3e-3
    decay: float = 0.01
    averaging: float = 0.998
    seed: int = 0


def train_sounds(
    composition: SoundComposition,
    measured: Spoken,
    settings: SoundsSettings,
    run: Path,
    processes: Processes,
) -> TorchSounds:
    """Train the network; after every epoch the log says how well it hears words by other people.

    Args:
        composition: what to train on.
        measured: words that it is not trained on.
        settings: how to train.
        run: folder of the checkpoints and the log.
        processes: those that train together.

    """
    s = settings
    torch.manual_seed(s.seed)
    network = TorchSounds(ARCHITECTURE, composition.features)
    pieces = [len(kind.sounds) for kind in composition.spoken]
    loop = TrainingLoop(
        network,
        LoopSettings(s.epochs, s.batches, s.rate, s.decay, s.averaging),
        run,
        processes,
        log=METRICS,
        identity={"settings": repr(s), "speech": repr(pieces)},
    )
    loop.resume()
    average = cast(TorchSounds, loop.average)
    maker = SoundSequenceMaker(composition)
    forward = processes.parallel(network, network.forward)
    for epoch in loop.epochs():
        network.train()
        rng = np.random.default_rng((s.seed, epoch, processes.rank))
        for _ in loop.batches():
            log_mel, sounds = maker.batch(s.batch_size // processes.size, rng)
            scores = forward(torch.from_numpy(log_mel))
            loop.backward(loss(scores, [torch.from_numpy(said) for said in sounds]))
            loop.update()
        mean = loop.loss()
        figures = {}
        if processes.first:
            wrong = error_rate(average, measured)
            figures = {"epoch": epoch + 1, "loss": mean, "wrong": wrong}
            logger.info("epoch %d: loss %.3f, wrong %.1f %%", epoch + 1, mean, 100 * wrong)
        loop.finish_epoch(figures)
    return average.eval()


@torch.no_grad()
def error_rate(network: TorchSounds, measured: Spoken) -> float:
    """Return how many sounds the network gets wrong, leaves out or adds, for each that is said."""
    network.eval()
    wrong = 0
    for index, said in enumerate(measured.sounds):
        log_mel = as_heard(measured.library[index], network.features, after=QUIET)
        log_mel = log_mel[: network.architecture.whole_steps(len(log_mel))]
        best = network(torch.from_numpy(log_mel)[None])[0].argmax(-1).tolist()
        heard = [one for one, before in zip(best, [0, *best[:-1]], strict=True) if one != before]
        wrong += edit_distance([one for one in heard if one], said.tolist())
    return wrong / max(1, sum(map(len, measured.sounds)))


def main() -> None:
    """Train the network, and write its file."""
    defaults = SoundsSettings()
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the recordings")
    parser.add_argument("--transcripts", type=Path, help="CSV file of what people say in them")
    parser.add_argument("--phrases", default="", help="wake words, with commas between them")
    parser.add_argument("--output", type=Path, required=True, help="the file to write")
    parser.add_argument("--run", type=Path, required=True, help="folder of the checkpoints")
    parser.add_argument("--cache", type=Path, default=xdg.cache_home() / "wakeword")
    parser.add_argument("--epochs", type=int, default=defaults.epochs, help="(%(default)s)")
    args = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        _train(args, SoundsSettings(epochs=args.epochs))
    except WakewordError as error:
        sys.exit(f"error: {error}")


def _train(args: argparse.Namespace, settings: SoundsSettings) -> None:
    check_output(args.output, ".safetensors")
    corpus, features = read_corpus(args.data), FeatureSettings()
    passages = read_transcripts(args.transcripts, args.data) if args.transcripts else []
    phrases = [phrase.strip() for phrase in args.phrases.split(",") if phrase.strip()]
    command = f"python -m wakeword_daemon.training.sounds --phrases {args.phrases!r}"
    made_by = origin(corpus, f"{command} --epochs {settings.epochs}")
    with joined() as processes, held(args.run, processes):
        processes.check(settings.batch_size)
        with processes.first_alone():
            speech = speech_with_sounds(corpus, passages, phrases, features, args.cache)
        network = train_sounds(*speech, settings, args.run, processes)
        if not processes.first:
            return
        licences = yaml.safe_load((root() / "models" / "sources.yaml").read_text())
        sources = sorted({r.source for r in corpus.in_split("train")})
        card = SoundsCard(
            language="en",
            sounds=SOUNDS,
            features=features,
            architecture=ARCHITECTURE,
            sources=[TrainingSource(name, licences.get(name, "unknown")) for name in sources],
            origin=made_by,
        )
        save_sounds(args.output, card, network.engine())
        wrong = error_rate(network, speech[1])
        text = describe(card, speech[0].spoken, wrong, sum(p.numel() for p in network.parameters()))
        write_atomically(args.output.with_suffix(".md"), text.encode())


def describe(card: SoundsCard, spoken: Sequence[Spoken], wrong: float, parameters: int) -> str:
    """Return the card of a network for people to read."""
    origin = card.origin or Origin("", "")
    learned = "\n".join(
        f"| {kind.title} | {len(kind.sounds)} | {kind.hours:.1f} | {100 * kind.share:.0f} % |"
        for kind in spoken
    )
    sources = "\n".join(f"| {source.name} | {source.licence} |" for source in card.sources)
    return f"""\
# The sounds of English

A network with {parameters:,} parameters that tells which sounds of speech are heard, but no words.
Where the score of a word is not low, the detector listens with it for the word's sounds.

Made by

    {origin.command}

with the code of {origin.code},
from recordings whose list has the digest {origin.data}.

## What it learned from

| speech | pieces | hours | share |
|---|---|---|---|
{learned}

The sounds of a text are those that espeak-ng says. Each piece was also changed into other voices,
rooms, noises and microphones. In words by people that it has not heard, it gets {100 * wrong:.0f} %
of the sounds wrong, leaves them out or adds them.

The recordings are from these collections:

| source | licence |
|---|---|
{sources}
"""


if __name__ == "__main__":
    main()
