"""A wake-word listener to leave switched on."""
