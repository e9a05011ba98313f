"""A wake-word listener to leave switched on."""

__version__ = "0.1.0"
