"""Features of curated bars."""
