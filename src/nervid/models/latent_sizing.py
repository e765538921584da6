"""Latent-INRs for a budget: the smallest one, and the one that uses it best."""

from dataclasses import replace
from typing import Final

from nervid.models.budget import EMBEDDING_SHARE, fits, largest
from nervid.models.config import LatentInrConfig
from nervid.models.layout import Layout

LEAST_LATENT: Final = 8
"""Numbers that a frame's latent has at least."""
_MOST_LATENT: Final = 32  # 16 and 64 lost; docs/log.md
_LEAST_CHANNELS: Final = 4
_LOWER_WIDTH: Final = 12  # HNeRV's
_PATCHES_HYPER: Final = 0.75  # hidden width of a hypernetwork over channels; docs/log.md
_PIXELS_HYPER: Final = 0.125  # the same, where layers without windows would be dwarfed; untuned
_LEAST_HYPER: Final = 4
_MOST_HYPER: Final = 128  # the paper's
_PIXEL_LAYERS: Final = 4  # modulated ones; with the block and the head six, as in the paper
_PIXEL_LEVELS: Final = 7  # half periods of 1 to 64 a side; untuned
_PIXELS_PER_PLACE: Final = 8  # of the learned grid, per axis; untuned


def smallest_patches(
    layout: Layout, *, frames: int, height: int, width: int, latent_size: int
) -> LatentInrConfig:
    """Describe the smallest patch-wise network that is worth fitting; the grid has the base map's places."""
    return LatentInrConfig(
        frames=frames,
        height=height,
        width=width,
        base_height=layout.base_height,
        base_width=layout.base_width,
        strides=layout.strides,
        grid_height=layout.base_height,
        grid_width=layout.base_width,
        latent_size=max(LEAST_LATENT, latent_size),
        hyper_width=_LEAST_HYPER,
        stem_width=_LEAST_CHANNELS,
        channels=_LEAST_CHANNELS,
        lower_width=_LEAST_CHANNELS,
    )


def smallest_pixels(*, frames: int, height: int, width: int, latent_size: int) -> LatentInrConfig:
    """Describe the smallest pixel-wise network: ReLU as in the paper, layers of one width."""
    return LatentInrConfig(
        frames=frames,
        height=height,
        width=width,
        base_height=height,
        base_width=width,
        strides=(1,),
        activation="relu",
        kernel_max=1,
        reduction=1.0,
        levels=_PIXEL_LEVELS,
        stem_layers=_PIXEL_LAYERS,
        grid_height=-(-height // _PIXELS_PER_PLACE),
        grid_width=-(-width // _PIXELS_PER_PLACE),
        grid_channels=4,
        latent_size=max(LEAST_LATENT, latent_size),
        hyper_width=_LEAST_HYPER,
        stem_width=_LEAST_CHANNELS,
        channels=_LEAST_CHANNELS,
        lower_width=_LEAST_CHANNELS,
    )


def solve_latent_inr(least: LatentInrConfig, parameters: int) -> LatentInrConfig:
    """Return the most channels that fit, then the widest hypernetworks, up to twice their share.

    Args:
        least: The family's smallest member, which fits.
        parameters: The budget, in numbers.
    """
    affordable = parameters // (EMBEDDING_SHARE * least.frames)
    latent_size = max(least.latent_size, min(_MOST_LATENT, affordable))

    per_channel = _PIXELS_HYPER if least.is_pixel_wise else _PATCHES_HYPER

    def share(channels: int) -> int:
        return max(_LEAST_HYPER, min(_MOST_HYPER, round(per_channel * channels)))

    def member(channels: int, hyper_width: int | None = None) -> LatentInrConfig:
        return replace(
            least,
            latent_size=latent_size,
            stem_width=channels,
            channels=channels,
            lower_width=channels if least.is_pixel_wise else min(_LOWER_WIDTH, channels),
            hyper_width=share(channels) if hyper_width is None else hyper_width,
        )

    if not fits(lambda: member(_LEAST_CHANNELS), parameters):
        return least
    channels = largest(lambda c: fits(lambda: member(c), parameters), _LEAST_CHANNELS)
    hyper_width = largest(
        lambda h: fits(lambda: member(channels, h), parameters), share(channels), 2 * share(channels)
    )
    return member(channels, hyper_width)
