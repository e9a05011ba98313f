"""Clips that the daemon keeps of what it heard and nearly heard, for people to listen to and label.

Off by default. They never leave the machine, and only their owner may read them.
"""
