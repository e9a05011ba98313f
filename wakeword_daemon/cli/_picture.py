"""Draws a recording and the network's attention and probability over it, with matplotlib."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from wakeword_daemon.clock import SAMPLE_RATE, seconds
from wakeword_daemon.counts import counted
from wakeword_daemon.engine.mel import hertz_to_mel

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.axes import Axes

    from wakeword_daemon.engine import Detection, Model
    from wakeword_daemon.engine.trace import Trace
    from wakeword_daemon.pcm import Pcm

FREQUENCIES = (250, 1000, 2000, 4000, 7000)
"""Frequencies that are marked in the log-mel panel, in hertz."""
DARKEST = 60.0
"""Decibels below the loudest band that are still drawn unlike silence."""


def draw(
    path: Path,
    model: Model,
    pcm: Pcm,
    *,
    trace: Trace,
    detections: Sequence[Detection],
    threshold: float,
    recordings: Sequence[tuple[float, str]],
) -> None:
    """Draw waveform, log-mel, attention and probability over one time axis.

    Args:
        path: the picture; its suffix is the format.
        model: the wake word's model.
        pcm: the samples.
        trace: the network's output for them.
        detections: what a daemon would have reported.
        threshold: the score from which the word is reported.
        recordings: the second at which each recording begins, and its name.

    """
    length = len(pcm) / SAMPLE_RATE
    figure = Figure(figsize=(min(24.0, max(8.0, 2 + length * 0.7)), 9), layout="constrained")
    panels = figure.subplots(4, 1, sharex=True, height_ratios=(1.2, 1.6, 1.2, 1.4))
    wave, mel, attention, probability = panels
    figure.suptitle(f"“{model.phrase}”, {counted(len(detections), 'detection')} in {length:.1f} s")
    _draw_wave(wave, pcm)
    image = _draw_log_mel(mel, model, trace)
    figure.colorbar(image, ax=mel, label="mel power, dB", pad=0.01)
    image = _draw_attention(attention, model, trace)
    figure.colorbar(image, ax=attention, label="share", pad=0.01)
    _draw_probability(probability, threshold, trace, detections)
    probability.set_xlabel("time, s")
    probability.set_xlim(0, length)
    for begin, name in recordings if len(recordings) > 1 else ():
        wave.text(begin, 1.03, f" {name}", fontsize=8, transform=wave.get_xaxis_transform())
        for panel in panels:
            panel.axvline(begin, color="black", linewidth=0.6, linestyle=":")
    for detection in detections:
        for panel in (wave, mel, attention):
            panel.axvline(seconds(detection.sample), color="tab:red", linewidth=1)
    figure.savefig(path, dpi=110)


def _draw_wave(axes: Axes, pcm: Pcm) -> None:
    """Draw only the highest and lowest of every few samples, which looks the same."""
    few = max(1, len(pcm) // 8000)
    whole = pcm[: len(pcm) // few * few].reshape(-1, few) / 32_768
    time = np.arange(len(whole)) * few / SAMPLE_RATE
    axes.fill_between(time, whole.min(1), whole.max(1), linewidth=0.4, color="tab:blue")
    highest = max(0.01, float(np.abs(whole).max(initial=0)) * 1.05)
    axes.set_ylim(-highest, highest)
    axes.set_ylabel("amplitude,\nof full scale")


def _draw_log_mel(axes: Axes, model: Model, trace: Trace):  # type: ignore[no-untyped-def]  # noqa: ANN202 -- an image
    features = model.card.features
    decibels = trace.log_mel.T * (10 / np.log(10))
    loudest = float(decibels.max(initial=-DARKEST))
    stop = max(1, len(trace.log_mel)) * features.hop / SAMPLE_RATE
    image = axes.imshow(
        decibels, origin="lower", aspect="auto", extent=(0, stop, -0.5, features.mels - 0.5),
        vmin=loudest - DARKEST, vmax=loudest, cmap="magma", interpolation="nearest",
    )  # fmt: skip
    top = hertz_to_mel(SAMPLE_RATE / 2)
    bands = [hertz_to_mel(one) / top * (features.mels + 1) - 1 for one in FREQUENCIES]
    axes.set_yticks(bands, [f"{hertz / 1000:g}" for hertz in FREQUENCIES])
    axes.set_ylabel("frequency, kHz")
    return image


def _draw_attention(axes: Axes, model: Model, trace: Trace):  # type: ignore[no-untyped-def]  # noqa: ANN202 -- an image
    """Draw each step's attention to the steps before it as a column."""
    card = model.card
    step = card.architecture.stride_frames * card.features.hop / SAMPLE_RATE
    start = trace.ends[0] - step if len(trace.ends) else 0.0
    shown = trace.attention[:, ::-1].T  # the step itself lowest
    image = axes.imshow(
        shown, origin="lower", aspect="auto", cmap="viridis", interpolation="nearest", vmin=0,
        extent=(start, start + step * max(1, len(trace.ends)), 0, step * card.architecture.steps),
    )  # fmt: skip
    axes.set_ylabel("attention,\ns back")
    return image


def _draw_probability(
    axes: Axes, threshold: float, trace: Trace, detections: Sequence[Detection]
) -> None:
    axes.step(trace.ends, trace.probabilities, where="post", color="tab:blue", linewidth=1.2)
    axes.axhline(threshold, color="tab:gray", linewidth=1, linestyle="--")
    axes.text(1.003, threshold, "threshold", fontsize=8, va="center", color="tab:gray",
              transform=axes.get_yaxis_transform())  # fmt: skip
    for detection in detections:
        axes.plot(seconds(detection.sample), detection.score, "v", color="tab:red", markersize=8)
        axes.annotate(
            f"{detection.word} {detection.score:.2f}",
            (seconds(detection.sample), detection.score),
            xytext=(6, -12), textcoords="offset points", fontsize=9, color="tab:red",
        )  # fmt: skip
    axes.set_ylim(0, 1.05)
    axes.set_ylabel("probability")
