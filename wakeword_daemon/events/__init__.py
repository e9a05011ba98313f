"""Detections on a socket: the protocol, its server and its client; knows no audio devices."""
