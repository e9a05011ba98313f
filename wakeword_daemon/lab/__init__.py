"""The model laboratory: experiments that make a word's network smaller, and their results.

The experiments use clips of one second, like the project's source report. The words that ship are
trained on streams, by `training.fit.trainer`.
"""
