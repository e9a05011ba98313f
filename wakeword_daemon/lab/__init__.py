"""The model laboratory: declared experiments that compress one word's network, and their table.

Experiments hear clips of one second, as the project's source report did; `training.trainer` is
what trains the words that ship, on streams.
"""
