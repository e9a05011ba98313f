"""Detections on a socket: the protocol, its server and its client. It knows no audio devices.

To watch it: `nc -U $XDG_RUNTIME_DIR/wakeword/events.sock` prints a line for each event and each
answer. `protocol` has the fields, `framing` the bytes.
"""
