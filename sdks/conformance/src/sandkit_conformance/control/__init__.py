"""Control: how a target lets itself be disturbed: faults, gates, its clock, restarts."""
