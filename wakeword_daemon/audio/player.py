"""The programs that play sounds."""

PLAYERS = (("paplay",), ("pw-play",), ("aplay", "--quiet"))
"""Each plays the file that is added to it: of PulseAudio, PipeWire and ALSA. One process for each
sound: a sound library that hangs on its output must not hang the one that listens."""
