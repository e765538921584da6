"""Fitting a network to a segment's frames: recipe, steps, pruning, quantization, checkpoints."""
