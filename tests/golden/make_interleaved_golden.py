"""Make the golden file nervid_interleaved_v1.nerv: that of nervid_v1, its knots in the order of need.

UPDATE_GOLDEN=1 python -m tests.golden.make_interleaved_golden

Codes, frames and vectors are those of nervid_v1.
"""

import json
import os
import sys
from pathlib import Path

from nervid.compress.feature_sections import (
    decode_feature_grids,
    encode_feature_grids,
    join_latents,
    split_latents,
)
from nervid.container import EMBD, MODL, NervFile, Section, pack, save
from nervid.container.format import canonical_json
from nervid.models.config import NervidConfig, from_json

FOLDER = Path(__file__).parent


def interleaved(modl: bytes, embd: bytes) -> tuple[bytes, bytes]:
    """Return both sections of a segment with its knots in the other order."""
    description = json.loads(modl)
    config = from_json(description["model"])
    assert isinstance(config, NervidConfig)
    latents, stream = split_latents(embd)
    grids = decode_feature_grids(stream, [grid.shape for grid in config.feature_grids])
    order = [grid.first_frames for grid in config.feature_grids]
    description["model"]["interleaved"] = True
    return canonical_json(description), join_latents(latents, encode_feature_grids(grids, order))


def main() -> None:
    """Write the file."""
    if os.environ.get("UPDATE_GOLDEN") != "1":
        sys.exit("golden files are kept forever; set UPDATE_GOLDEN=1 to replace them")
    with NervFile.open(FOLDER / "nervid_v1.nerv") as file:
        payloads = {(entry.tag, entry.segment): file.read(entry.tag, entry.segment) for entry in file.entries}
        for number in range(len(file.header.segments)):
            keys = (MODL, number), (EMBD, number)
            payloads |= dict(zip(keys, interleaved(*(payloads[key] for key in keys)), strict=True))
        sections = [Section(tag, segment, payload) for (tag, segment), payload in payloads.items()]
        save(pack(file.header, sections), FOLDER / "nervid_interleaved_v1.nerv")


if __name__ == "__main__":
    main()
