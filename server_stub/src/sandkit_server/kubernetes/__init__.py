"""Kubernetes: calls as data, one port that sends them, caches fed by watches."""
