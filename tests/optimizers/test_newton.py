"""newton."""
