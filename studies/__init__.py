"""Studies: one file per question, each with `study() -> Study`."""
