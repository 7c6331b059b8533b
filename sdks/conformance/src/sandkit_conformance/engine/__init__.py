"""The engine: runs scenarios against a target and turns what it sees into verdicts."""
