"""What the daemon does of its own accord when it hears a word: one small module for each action.

An action hears of detections and states on the event loop, after every subscriber, and must not
wait there. Whatever fails in it is logged; hearing goes on.
"""
