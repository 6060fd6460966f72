"""Numbers that can be believed: metrics, and intervals that respect women."""
