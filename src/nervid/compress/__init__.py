"""From named tensors to bytes: pruning, quantization, entropy coding."""
