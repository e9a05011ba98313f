"""Batches of training sequences in which nothing is heard, but words are said to be."""

import numpy as np

from wakeword_daemon.training.fit.sequences import Sequences, Spoken


def batch(stops, spoken=()):
    """Return sequences whose words end at `stops`; `spoken` lists row, end and number of words."""
    stops = np.array(stops)
    rows, ends, numbers = np.array(list(spoken), np.int64).reshape(-1, 3).T
    log_mel = np.zeros((len(stops), 340, 40), "f")
    return Sequences(log_mel, np.maximum(stops - 60, -1), stops, Spoken(rows, ends, numbers))
