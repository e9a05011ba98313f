"""The network and its training: sequences, losses and the optimizer."""
