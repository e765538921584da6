"""Video stored as a neural network: one small file, any frame in any order.

>>> import nervid
>>> sorted(set(nervid.__all__) - set(dir(nervid)))
[]
"""

from importlib import import_module
from typing import TYPE_CHECKING

from nervid._version import __version__
from nervid.errors import FormatError, InputError, MissingExtraError, NervidError, OutputError

if TYPE_CHECKING:
    from nervid.container import NervFile
    from nervid.data import demo_clip
    from nervid.decoder import Dataset, Decoder, open
    from nervid.encoder.config import EncodeConfig
    from nervid.encoder.encode import EncodeProgress, encode
    from nervid.encoder.result import Encoded, EncodeReport
    from nervid.initializations import Initialization
    from nervid.meta.config import MetaConfig
    from nervid.meta.train import meta_train
    from nervid.metrics.distortion import ms_ssim, psnr
    from nervid.metrics.rate import bd_rate, bits_per_pixel
    from nervid.retrieval.moment import Moment
    from nervid.retrieval.search import search
    from nervid.video import Clip, read

__all__ = [
    "Clip",
    "Dataset",
    "Decoder",
    "EncodeConfig",
    "EncodeProgress",
    "EncodeReport",
    "Encoded",
    "FormatError",
    "Initialization",
    "InputError",
    "MetaConfig",
    "MissingExtraError",
    "Moment",
    "NervFile",
    "NervidError",
    "OutputError",
    "__version__",
    "bd_rate",
    "bits_per_pixel",
    "demo_clip",
    "encode",
    "meta_train",
    "ms_ssim",
    "open",
    "psnr",
    "read",
    "search",
]

# Where each name lives. Importing nervid is quick: torch is loaded with the first name that needs it.
_HOMES = {
    "Clip": "nervid.video",
    "Dataset": "nervid.decoder",
    "Decoder": "nervid.decoder",
    "EncodeConfig": "nervid.encoder.config",
    "EncodeProgress": "nervid.encoder.encode",
    "EncodeReport": "nervid.encoder.result",
    "Encoded": "nervid.encoder.result",
    "Initialization": "nervid.initializations",
    "MetaConfig": "nervid.meta.config",
    "Moment": "nervid.retrieval.moment",
    "NervFile": "nervid.container",
    "bd_rate": "nervid.metrics.rate",
    "bits_per_pixel": "nervid.metrics.rate",
    "demo_clip": "nervid.data",
    "encode": "nervid.encoder.encode",
    "meta_train": "nervid.meta.train",
    "ms_ssim": "nervid.metrics.distortion",
    "open": "nervid.decoder",
    "psnr": "nervid.metrics.distortion",
    "read": "nervid.video",
    "search": "nervid.retrieval.search",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'nervid' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
