"""A tiny source and its .nerv file, made once by the command line itself."""

from pathlib import Path

import av
import numpy as np
import pytest

from nervid.cli.main import main


def write_clip(path: Path, *, frames: int = 10, height: int = 32, width: int = 48) -> Path:
    """Write a moving gradient as losslessly as H.264 can, in RGB's stead 4:4:4."""
    rows, columns = np.mgrid[0:height, 0:width]
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=10, options={"crf": "1", "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv444p"
        for index in range(frames):
            picture = np.stack([columns * 4 + 5 * index, rows * 6, 200 - rows * 2 - columns], axis=-1)
            frame = av.VideoFrame.from_ndarray((picture % 256).astype(np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.fixture(scope="session")
def clip_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clip") / "clip.mp4")


@pytest.fixture(scope="session")
def nerv_path(clip_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("nerv") / "clip.nerv"
    assert main(["encode", str(clip_path), str(path), "--size", "4kB", "--epochs", "40"]) == 0
    return path
