"""The controller of BatchSandboxes, SandboxSnapshots and Pools: pure decisions, one call each."""
