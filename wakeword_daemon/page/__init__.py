"""A web page of the daemon: what it hears, its thresholds, a pause, and the clips it kept.

Runs in a process of its own. It reaches the daemon as any program does, by the event socket, and
the clips by their folder.
"""
