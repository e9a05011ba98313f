"""One wake word from recordings to a model file and its card."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from wakeword_daemon.engine.modelfile import (
    DEFAULT_TARGET,
    Model,
    ModelCard,
    OperatingPoint,
    TrainingSource,
    read_model,
    save_model,
)
from wakeword_daemon.engine.settings import Architecture, FeatureSettings
from wakeword_daemon.errors import TrainingError
from wakeword_daemon.storage import write_atomically
from wakeword_daemon.training.calibration import DEFAULT_THRESHOLD, calibrate, calibration_speech
from wakeword_daemon.training.data import progress, synthesis
from wakeword_daemon.training.data.corpus import Corpus
from wakeword_daemon.training.data.progress import track
from wakeword_daemon.training.data.speechsounds import ways_to_say
from wakeword_daemon.training.fit.blending import nearest
from wakeword_daemon.training.fit.distributed import Processes
from wakeword_daemon.training.fit.export import engine_from_torch, folded_weights, torch_from_model
from wakeword_daemon.training.fit.network import TorchCRNN
from wakeword_daemon.training.fit.sequences import SequenceMaker
from wakeword_daemon.training.fit.trainer import Trainer
from wakeword_daemon.training.labelled import read_labelled
from wakeword_daemon.training.material import gather
from wakeword_daemon.training.measure.conditions import CLEAN, Condition, measurable
from wakeword_daemon.training.measure.evaluation import (
    FeatureStreams,
    SpeechSet,
    StreamReport,
    build_streams,
    clip_metric,
    measure,
)
from wakeword_daemon.training.measure.heard import hear
from wakeword_daemon.training.measure.pictures import draw
from wakeword_daemon.training.measure.report import Measured, Results, write_card
from wakeword_daemon.training.measure.validation import Validation, long_form
from wakeword_daemon.training.measure.verdict import Verdict, judge
from wakeword_daemon.training.origin import origin
from wakeword_daemon.training.plan import (
    MEASURING,
    READING,
    SPEAKING,
    TRAINING,
    Plan,
    TrainingJob,
    plan_word,
)
from wakeword_daemon.training.pronounced import heard_ways
from wakeword_daemon.training.runfolder import check_output, held
from wakeword_daemon.training.selftest import self_test_vector

logger = logging.getLogger(__name__)

MODEL_SUFFIX = ".safetensors"


def train_word(
    job: TrainingJob,
    on_epoch: Callable[[dict[str, Any]], None] | None = None,
    processes: Processes | None = None,
    plan: Plan | None = None,
) -> Trained | None:
    """Train a word, choose its threshold on the dev set, measure it, and write model and card.

    Args:
        job: what to train.
        on_epoch: called with each epoch's row of metrics.
        processes: the processes that train together; None for this one alone.
        plan: what `plan_word` returned for this job, if it was asked before.

    Returns:
        what came of it; None in every process but the first, where several train together.

    Raises:
        TrainingError: the recordings or the output cannot be used, which shows before training
            starts; or the loss is no longer a number.

    """
    together = processes or Processes()
    check_output(job.output, MODEL_SUFFIX)
    with held(job.run, together):
        fitted = fit_word(job, on_epoch, together, plan)
        return None if fitted is None else write_word(job, fitted)


@dataclass(frozen=True)
class Trained:
    """What came of a training run.

    Attributes:
        results: what the model learned from, and what it does.
        verdict: whether to use it.
        model: its file, which is in the run's folder if it should not be used.

    """

    results: Results
    verdict: Verdict
    model: Path


@dataclass(frozen=True)
class Fitted:
    """A word that is trained and measured, and not written yet.

    Attributes:
        model: what will be the model file.
        results: what it learned from, and what it does.
        verdict: whether to use it.
        validation: what it was measured with.
        hours: the synthetic speech that chose no threshold; None without a synthesizer.

    """

    model: Model
    results: Results
    verdict: Verdict
    validation: Validation
    hours: FeatureStreams | None


def fit_word(
    job: TrainingJob,
    on_epoch: Callable[[dict[str, Any]], None] | None,
    together: Processes,
    plan: Plan | None,
) -> Fitted | None:
    """Do what `train_word` does, up to where model and card are written."""
    features = FeatureSettings()
    starts = _starting_models(job, features)
    teachers = [_teacher(path, job.word, features) for path in job.teachers]
    plan = plan or plan_word(job)
    with together.first_alone():  # it fills the cache, the others read it
        progress.enter(SPEAKING)
        for speaking in plan.jobs:
            speaking.make()
        progress.enter(READING)
        corpus = plan.supply.corpus(job.word, job.read_as, job.cache)
        labelled = None if job.more is None else read_labelled(job.more, corpus)
        material = gather(
            corpus,
            job.word,
            features,
            job.cache,
            phrase=job.phrase,
            voices=plan.voices,
            seed=job.settings.seed,
            labelled=labelled,
        )
        without = [job.phrase, job.read_as]
        hours_dev = hours_test = None
        if plan.hours is not None:
            hours_dev, hours_test = long_form(plan.hours, without, features, job.cache)
        made_by = origin(corpus, job.command)  # before training, while this code may change
    progress.enter(TRAINING)
    network = Trainer(
        SequenceMaker(material.composition),
        build_streams(material.validation.dev, features),
        job.settings,
        job.run,
        identity=_identity(job, corpus, labelled, starts, teachers),
        features=features,
        starts=[torch_from_model(start) for start in starts],
        teachers=[torch_from_model(teacher) for teacher in teachers],
        processes=together,
        device=job.device,
        workers=job.workers,
    ).run(on_epoch)
    if not together.first:
        return None
    progress.enter(MEASURING)
    network.ways = heard_ways(material.composition.takes, ways_to_say(job.read_as), features)

    def speech() -> Iterable[Iterable[FeatureStreams]]:
        return calibration_speech(material.validation.dev, features, hours_dev)

    if labelled is None:
        calibrate(network, speech)
    else:
        kept = [[*draws] for draws in speech()]  # for several networks
        network = _as_near_as_clips_allow(starts[0], network, labelled, kept)
    measured = _measure(network, material.validation, hours_test)
    results = Results(
        phrase=job.phrase,
        parameters=sum(p.numel() for p in network.parameters()),
        real_takes=material.real_takes,
        synthetic_takes=material.synthetic_takes,
        natural_takes=material.natural_takes,
        speakers=material.speakers,
        left_out=plan.supply.left_out,
        begun=plan.supply.beginning.text if plan.supply.beginning else "",
        labelled=material.labelled,
        set_aside=material.set_aside,
        sources=[(s, job.licences.get(s, "unknown")) for s in material.sources],
        origin=made_by,
        threshold=DEFAULT_THRESHOLD,
        target=DEFAULT_TARGET,
        measured=measured,
    )
    verdict = judge(measured, DEFAULT_THRESHOLD, _sounds(job.read_as))
    model = _model(network, job, results)
    return Fitted(model, results, verdict, material.validation, hours_test)


def write_word(job: TrainingJob, fitted: Fitted) -> Trained:
    """Write model, card and picture."""
    results = fitted.results
    output = job.output if fitted.verdict.usable else job.run / job.output.name
    picture = output.with_suffix(".svg")
    save_model(output, fitted.model)
    write_atomically(picture, draw(results))
    write_atomically(output.with_suffix(".md"), write_card(results, picture.name).encode())
    write_atomically(job.run / "results.json", json.dumps(results.figures(), indent=1).encode())
    return Trained(results, fitted.verdict, output)


def _identity(
    job: TrainingJob,
    corpus: Corpus,
    labelled: Corpus | None,
    starts: Sequence[Model],
    teachers: Sequence[Model],
) -> str:
    """Return what a run depends on beside its settings."""
    more = "" if labelled is None else f" and {labelled.fingerprint()}"
    recordings = f"{job.synthetic} {corpus.fingerprint()}{more}"
    started = "".join(f" from {start.card.checksum}" for start in starts)
    taught = "".join(f" taught by {teacher.card.checksum}" for teacher in teachers)
    return f"{job.word} “{job.read_as}” {recordings}{started}{taught}"


def _sounds(phrase: str) -> int:
    """Return how many sounds a phrase has; its letters, where nothing tells its sounds."""
    if "espeak" not in synthesis.engines():
        return len(phrase)
    return len(synthesis.phonemes([phrase])[0])


def _starting_models(job: TrainingJob, features: FeatureSettings) -> list[Model]:
    """Read the models to start from.

    Raises:
        TrainingError: there are more of them than networks to train, or one has another shape or
            front end than the network that is to start from it.
        ModelError: one is no model file.

    """
    peers = job.settings.peers
    if len(job.starts) > len(peers):
        raise TrainingError(
            f"there are {len(job.starts)} models to start from, but only {len(peers)} networks to "
            "train; --peers says how many"
        )
    models = [read_model(path) for path in job.starts]
    for path, model, units in zip(job.starts, models, peers, strict=False):
        shape = replace(Architecture(), hidden=units)
        if model.card.features != features or model.card.architecture != shape:
            raise TrainingError(f"training cannot start from {path}: its network has another shape")
    return models


def _teacher(path: Path, word: str, features: FeatureSettings) -> Model:
    """Read a model to learn from.

    Raises:
        TrainingError: it is of another word, or its steps are not those of what is trained.
        ModelError: it is no model file.

    """
    model = read_model(path)
    if model.card.name != word:
        raise TrainingError(f"{path} cannot teach {word}: it is a model of {model.card.name}")
    shape = replace(model.card.architecture, hidden=Architecture().hidden)
    if model.card.features != features or shape != Architecture():
        raise TrainingError(f"{path} cannot teach: its network has another shape")
    return model


def _measure(network: TorchCRNN, validation: Validation, hours: FeatureStreams | None) -> Measured:
    """Measure a network under every condition, and in hours of synthetic speech."""
    engine = engine_from_torch(network)
    conditions, missing = measurable()
    if missing:
        logger.warning(
            "not measured, because praat-parselmouth is not installed: %s", ", ".join(missing)
        )
    return Measured(
        dev=_under(conditions, network, validation.dev),
        test=_under(conditions, network, validation.test),
        long_form=None if hours is None else measure(engine, hours),
        clip_metric=clip_metric(engine, build_streams(validation.test, network.features)),
    )


def _under(
    conditions: Sequence[Condition], network: TorchCRNN, speech: SpeechSet
) -> dict[str, StreamReport]:
    """Measure a network on one half of the validation speakers, by condition."""
    engine = engine_from_torch(network)
    return {
        condition.name: measure(engine, build_streams(speech, network.features, condition))
        for condition in track(conditions, len(conditions), "measuring", "condition")
    }


def _as_near_as_clips_allow(
    start: Model, trained: TorchCRNN, labelled: Corpus, speech: list[list[FeatureStreams]]
) -> TorchCRNN:
    """Return the calibrated network, on the way from one to the other, that gets most clips right.

    Among equals it is the one nearest to the start, which strangers are heard by as before.
    """

    def mistakes(network: TorchCRNN) -> int:
        calibrate(network, lambda: speech)
        card = replace(start.card, threshold=DEFAULT_THRESHOLD)
        return hear(Model(card, folded_weights(network), start.self_test_vector), labelled).mistakes

    network, share = nearest(torch_from_model(start), trained, mistakes)
    logger.info(
        "the weights are %.0f %% of the way from the model before to the new one", 100 * share
    )
    return network


def _model(network: TorchCRNN, job: TrainingJob, results: Results) -> Model:
    both = results.measured.both(CLEAN.name)
    card = ModelCard(
        name=job.word,
        phrase=job.phrase,
        language="en",
        features=network.features,
        architecture=network.architecture,
        threshold=results.threshold,
        operating_points=[
            OperatingPoint(target, p.threshold, p.miss_rate, p.false_accepts_per_hour)
            for target, p in results.points()
        ],
        hours=results.counted_hours(),
        takes=len(both.takes),
        sources=[TrainingSource(name, licence) for name, licence in results.sources],
        origin=results.origin,
        ways=network.ways,
    )
    vector = self_test_vector(engine_from_torch(network), job.read_as)
    return Model(card, folded_weights(network), vector)
