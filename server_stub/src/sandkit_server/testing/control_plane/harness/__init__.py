"""Server and controller as they are, over a real control plane and a node stand-in, made to be disturbed.

Each process of the product talks to the API server as its own service account. Faults, gates and crashes
strike at the calls it sends and at the steps of the node; the time it sees can be moved.
"""
