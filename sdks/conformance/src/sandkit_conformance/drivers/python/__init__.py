"""The Python SDK's driver: a program of its own, which the suite starts and never imports."""
