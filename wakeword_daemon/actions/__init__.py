"""What the daemon itself does when it hears a word: one small module for each action.

An action receives detections and states on the event loop, after every subscriber, and must not
block it. Failures are logged; listening continues.
"""
