"""Recordings and synthetic speech: reading, checking and keeping what a word is trained on."""
