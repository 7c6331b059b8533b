"""A probe of the suite's own: it looks at an API server, and knows objects by their contract only."""
