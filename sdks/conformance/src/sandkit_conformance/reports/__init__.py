"""Reports: the same run told to a terminal, a pipeline, a program and a person."""
