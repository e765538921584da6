"""A nervid network small enough for the arithmetic of its tests to be done by hand."""

from nervid.models.config import NervidConfig
from nervid.models.nervid import Nervid
from nervid.models.registry import build

CONFIG = NervidConfig(
    frames=10,
    height=20,
    width=30,
    base_height=3,
    base_width=4,
    strides=(2, 2, 2),
    channels=(8, 6, 4),
    depths=(1, 0, 2),
    grid_stages=(0, 0, 2),
    grid_channels=(3, 2, 1),
    grid_spans=(3, 10, 4),
)


def network(config: NervidConfig = CONFIG) -> Nervid:
    """A fresh network."""
    built = build(config, seed=1)
    assert isinstance(built, Nervid)
    return built
