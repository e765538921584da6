"""Model configs: everything a file needs to rebuild its decoder; importing them does not load torch."""

from nervid.models.config.base import RepresentationConfig, embedding_count, parameter_count
from nervid.models.config.hnerv import HnervConfig
from nervid.models.config.latent_inr import LatentInrConfig
from nervid.models.config.nerv import NervConfig
from nervid.models.config.nervid import NervidConfig
from nervid.models.config.serial import ModelConfig, from_json, to_json

__all__ = [
    "HnervConfig",
    "LatentInrConfig",
    "ModelConfig",
    "NervConfig",
    "NervidConfig",
    "RepresentationConfig",
    "embedding_count",
    "from_json",
    "parameter_count",
    "to_json",
]
