"""The daemon over HTTP: a web page for people, and metrics for Prometheus.

Each runs in a process of its own. It reaches the daemon as any program does, by the event socket,
and the clips by their folder.
"""
