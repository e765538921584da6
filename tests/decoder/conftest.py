"""One small file in several segments, with uneven timestamps, encoded once."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

import nervid

FRAMES, HEIGHT, WIDTH = 12, 32, 48
TIMES = np.array([0, 40, 80, 120, 200, 240, 300, 340, 400, 440, 480, 560])
"""Milliseconds."""


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("decoder") / "source.mkv"
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "1"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv444p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        container.metadata["title"] = "Uneven"
        for index, time in enumerate(TIMES):
            picture = np.stack([columns * 4 + 9 * index, rows * 6 + index, 255 - columns], axis=-1) % 256
            frame = av.VideoFrame.from_ndarray(picture.astype(np.uint8), format="rgb24")
            frame.pts, frame.time_base = int(time), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.fixture(scope="session")
def path(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    encoded = nervid.encode(nervid.read(source), model="hnerv", size="9kB", epochs=3, max_segment_frames=5)
    return encoded.save(tmp_path_factory.mktemp("nerv") / "video.nerv")
