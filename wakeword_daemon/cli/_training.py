"""What `wakeword train` prints about a phrase, its plan and the result."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wakeword_daemon import resources
from wakeword_daemon.cli._player import Player
from wakeword_daemon.counts import counted
from wakeword_daemon.errors import TrainingError, WakewordError
from wakeword_daemon.training.calibration import DEFAULT_THRESHOLD
from wakeword_daemon.training.data import synthesis
from wakeword_daemon.training.data.phrase_check import complaints
from wakeword_daemon.training.data.progress import duration_here
from wakeword_daemon.training.data.synthesis import Voice
from wakeword_daemon.training.plan import TRAINING

if TYPE_CHECKING:
    from wakeword_daemon.training.improve import Comparison
    from wakeword_daemon.training.measure.evaluation import StreamReport
    from wakeword_daemon.training.measure.report import Measured
    from wakeword_daemon.training.plan import Plan, TrainingJob
    from wakeword_daemon.training.word import Trained

_USELESS = 3
"""The exit code for a word that should not be used."""
_ACCENTS = {"en-us": "American", "en-gb": "British"}
_PREVIEW = (
    ("American", Voice("kokoro", "en-us/af_heart")),
    ("British", Voice("kokoro", "en-gb/bf_emma")),
    ("American, espeak-ng", Voice("espeak", "en-us")),
    ("British, espeak-ng", Voice("espeak", "en-gb")),
)


def preview(phrase: str) -> int:
    """Show how a phrase is pronounced, and play it in the voices that are installed.

    Returns:
        the exit code.

    Raises:
        WakewordError: espeak-ng is missing, or nothing plays sounds here.

    """
    _print_pronunciation(phrase)
    player = Player()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "said.wav"
        for name, voice in _PREVIEW:
            try:
                synthesis.speak(phrase, voice, path)
            except (TrainingError, FileNotFoundError):
                continue  # it is not installed
            print(f"  {name}", flush=True)
            if failure := player.play(path):
                raise WakewordError(failure)
            if not player.wait():
                raise WakewordError("the sound could not be played; is a sound server running?")
    return 0


def _print_pronunciation(phrase: str) -> None:
    if "espeak" not in synthesis.engines():
        raise TrainingError(
            "espeak-ng, which finds the pronunciation, is missing: sudo apt install espeak-ng"
        )
    readings = [
        f"/{synthesis.pronunciation(phrase, one)}/ {name}" for one, name in _ACCENTS.items()
    ]
    print(f"{phrase}   {'   '.join(readings)}")


def print_phrase(phrase: str, cache: Path) -> None:
    """Show how the voices will say the phrase, and what speaks against it."""
    if "espeak" not in synthesis.engines():
        return  # training on recordings alone
    _print_pronunciation(phrase)
    for complaint in complaints(phrase, resources.shipped_models(), cache):
        print(f"  beware: {complaint}")


def print_plan(plan: Plan) -> None:
    """Show what will be done, and how long that takes about."""
    of_word = {"word", "carriers"}
    takes = [
        job
        for kinds in (plan.voices.simple, plan.voices.natural)
        for kind, job in kinds.items()
        if kind in of_word
    ]
    synthetic = sum(job.count for job in takes)
    missing = sum(job.missing() for job in plan.jobs)
    people = [r for r in plan.supply.given.recordings if r.word and not r.noise]
    print("plan")
    if people:
        judging = sum(r.split == "val" for r in people)
        print(f"  {counted(len(people), 'recording')} by people, {judging} of them for measuring")
    if plan.jobs:
        print(
            f"  {counted(synthetic, 'take')} of the word by synthetic voices, and other speech;"
            f" {missing} to make"
        )
    beginning = plan.supply.beginning
    if beginning is not None:
        print(f"  people say only {beginning.ending!r}; Kokoro says “{beginning.text}” before it")
    if plan.supply.left_out:
        left_out = ", ".join(plan.supply.left_out)
        print(f"  not used for training: {left_out}; they stand in for strangers")
    for stage in plan.stages:
        more = f" {counted(plan.epochs, 'epoch')}" if stage.title == TRAINING else ""
        print(f"  {stage.title}{more}: {duration_here(stage.seconds)}")
    total = sum(stage.seconds for stage in plan.stages)
    print(f"  about {duration_here(total)} in all if nothing else runs", flush=True)


def say_comparison(comparison: Comparison, *, as_json: bool) -> None:
    """Say what a model did before it was improved, and what it does now."""
    if as_json:
        print(json.dumps(comparison.figures()), flush=True)
        return
    rows = [("", "before", "after"), *comparison.rows()]
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    print()
    for what, before, after in rows:
        print(f"{what:{widths[0]}}  {before:{widths[1]}}  {after}", flush=True)


def say_folds(job: TrainingJob, measured: Measured | None, *, as_json: bool) -> int:
    """Say what the networks of a cross-validation do."""
    if measured is None:  # another process speaks for all
        return 0
    test = measured.test["clean"]
    default = test.at_threshold(DEFAULT_THRESHOLD)
    if as_json:
        print(json.dumps(_figures(job.output, test)))
        return 0
    print(
        f"{job.output}: misses {default.miss_rate:.1%} of {counted(len(test.takes), 'take')} at "
        f"{default.false_accepts_per_hour:.2f} false accepts an hour ({test.hours:.2f} h)"
    )
    return 0


def say_verdict(job: TrainingJob, trained: Trained, *, as_json: bool) -> int:
    """Say what to expect of a word; return the exit code."""
    verdict = trained.verdict
    code = 0 if verdict.usable else _USELESS
    if as_json:
        figures = _figures(trained.model, trained.results.measured.test["clean"])
        print(json.dumps(figures | {"judgement": verdict.judgement, "reasons": verdict.reasons}))
        return code
    print(f"\nwhat to expect of “{job.phrase}”")
    width = max(len(name) for name, _ in verdict.lines)
    for name, value in verdict.lines:
        print(f"  {name:{width}}  {value}")
    print(f"\n{verdict}")
    card = trained.model.with_suffix(".md")
    if verdict.usable:
        print(f"the model is {trained.model}, the measurements in {card}")
        print(f"try it: wakeword try {trained.model}")
        return code
    print(f"no model was written to {job.output}; the measurements are in {card}")
    return code


def _figures(output: Path, test: StreamReport) -> dict[str, Any]:
    """Return what was measured on the speakers that nothing was chosen by, as plain data."""
    default = test.at_threshold(DEFAULT_THRESHOLD)
    return {
        "output": str(output),
        "takes": len(test.takes),
        "miss_rate": default.miss_rate,
        "hours": test.hours,
        "false_accepts_per_hour": default.false_accepts_per_hour,
    }
