"""Raw bars: what each vendor said, every revision, append-only."""
