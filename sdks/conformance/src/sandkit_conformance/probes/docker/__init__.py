"""A probe of the suite's own that looks into a Docker engine; it knows sandboxes by their label only."""
