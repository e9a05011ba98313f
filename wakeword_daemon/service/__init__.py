"""The daemon: its wiring, its watchdog, its status and the service manager."""
