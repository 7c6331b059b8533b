"""A real control plane on loopback: etcd, API server, controller manager and scheduler, for tests."""
