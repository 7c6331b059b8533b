"""Drivers: the ways a call can reach the server. The suite's own is raw HTTP."""
