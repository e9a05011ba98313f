"""The programs that play sounds."""

PLAYERS = (("paplay",), ("pw-play",), ("aplay", "--quiet"))
"""Of PulseAudio, PipeWire and ALSA; each takes the file as its last argument. Sounds are played by
another process, because a sound library that hangs on output must not hang the one that listens."""
