"""The Wyoming wake service: rooms send their audio, and receive the wake words that are in it.

A room is one connection. `room` handles its requests and its audio, without a socket; `connection`
and `server` are the sockets around it.
"""
