"""The learning rate as a pure function of the step."""

import math


def learning_rate(
    step: int, *, steps: int, peak: float, warmup: float, warmup_start: float, power: float = 1.0
) -> float:
    """Return the rate of step ``step``: linear warm-up, then half a cosine down to zero.

        warm = warmup * steps
        rate = peak * (warmup_start + (1 - warmup_start) * step / warm)              step < warm
        rate = peak * ((1 + cos(pi * (step - warm) / (steps - warm))) / 2) ** power  otherwise

    Args:
        step: Steps already taken, in [0, steps).
        steps: Steps in all, at least 1.
        peak: Rate at the end of the warm-up.
        warmup: Share of the steps that warm up, in [0, 1).
        warmup_start: Share of ``peak`` at step 0, in [0, 1].
        power: Above 0. Below 1 the rate stays high for longer and falls more steeply.

    Source:
        The schedule of both NeRV's and HNeRV's published code, per step rather than per epoch; ``power`` is
        ours.
    """
    warm = warmup * steps
    if step < warm:
        return peak * (warmup_start + (1 - warmup_start) * step / warm)
    return float(peak * ((1 + math.cos(math.pi * (step - warm) / (steps - warm))) / 2) ** power)
