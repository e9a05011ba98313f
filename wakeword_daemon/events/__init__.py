"""Detections on a socket: the protocol, its server and its client; knows no audio devices.

What travels can be read with `nc -U $XDG_RUNTIME_DIR/wakeword/events.sock`: one line for each
event, and one for each answer. `protocol` has the fields, `framing` the bytes.
"""
