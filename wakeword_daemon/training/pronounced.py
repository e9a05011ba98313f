"""Whether a word's takes have the sounds that it should have."""

from __future__ import annotations

import logging

import numpy as np

from wakeword_daemon.engine.settings import FeatureSettings
from wakeword_daemon.engine.sounds import LONGEST, SoundListener, Ways, evidence
from wakeword_daemon.engine.soundsfile import english
from wakeword_daemon.resources import sounds_file
from wakeword_daemon.training.fit.composition import Takes
from wakeword_daemon.training.fit.soundsequences import as_heard

logger = logging.getLogger(__name__)

AFTER = 15
"""Frames of a take after its word."""
LISTENED = 100
"""Takes that are listened to."""
AGAINST = -8.0
"""Evidence below this means that a take does not have the sounds."""
HEARD_SHARE = 0.75
"""Share of the takes that must have them."""


def heard_ways(takes: Takes, ways: Ways, features: FeatureSettings) -> Ways:
    """Return the ways to say a word if its takes are said so, and none otherwise.

    The word may be of another language than English, or no word at all. And there may be no network
    of speech sounds.

    Args:
        takes: the word, as it is trained with.
        ways: how espeak-ng would say it.
        features: the front end.

    """
    if not ways or not sounds_file().exists():
        return ()
    listener = SoundListener(english())
    few = np.linspace(0, len(takes.library) - 1, min(LISTENED, len(takes.library))).astype(int)
    found = []
    for index in few:
        span = takes.spans[index]
        power = takes.library[index][max(0, span.stop + AFTER - LONGEST) : span.stop + AFTER]
        heard = as_heard(power, features, after=0)
        first, stop = listener.span(len(heard))
        found.append(evidence(listener.hear_frames(heard[first:stop]), ways))
    share = float(np.mean(np.array(found) > AGAINST))
    if share >= HEARD_SHARE:
        return ways
    logger.warning(
        "%.0f %% of the takes do not have the sounds %s, so sounds do not count for this word",
        100 * (1 - share),
        " or ".join("-".join(way) for way in ways),
    )
    return ()
