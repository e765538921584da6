"""Meta-learning: one initialization over many videos, from which a new clip fits in a few steps."""
