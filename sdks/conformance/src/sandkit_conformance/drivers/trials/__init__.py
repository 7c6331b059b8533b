"""Trials of a driver: calls against a scripted server on loopback, and what was wrong with them."""
