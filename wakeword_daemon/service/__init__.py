"""The daemon: wiring, settings, health and the service manager."""
