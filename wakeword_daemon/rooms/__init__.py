"""The Wyoming wake service: rooms send their audio, and are told of the wake words in it.

A room is one connection. `room` is what it asks and hears, without a socket; `connection` and
`server` are the sockets around it.
"""
