"""Detections on a socket: the protocol, its server and its client; knows no audio devices.

What travels can be read along with `nc -U $XDG_RUNTIME_DIR/wakeword/events.sock`: `info` on
connecting, then one line for each event. `protocol` tells the fields, `framing` the bytes.
"""
