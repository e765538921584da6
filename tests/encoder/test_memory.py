"""Encoding holds one segment's frames, however long the video is."""

import os
import subprocess
import sys
from pathlib import Path

import av
import numpy as np

FRAMES, SIDE = 300, 240
CODE = """
import resource, sys
import nervid, nervid.encoder.encode
import numpy as np

clip = nervid.read(sys.argv[1])
config = nervid.EncodeConfig(
    size="18kB", model="nerv", recipe="hnerv", epochs=1, max_segment_frames=30, precision="float32"
)
# The first encoding loads what is loaded on first use.
nervid.encode(nervid.read(np.zeros((30, 3, 240, 240), np.uint8)), config, size="2kB")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
encoded = nervid.encode(clip, config)
print(encoded.report.frames, encoded.report.segments)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_a_long_video_is_encoded_in_less_memory_than_its_frames_take(tmp_path: Path) -> None:
    path = tmp_path / "long.mp4"
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = SIDE, SIDE, "yuv420p"
        picture = np.zeros((SIDE, SIDE, 3), dtype=np.uint8)
        for index in range(FRAMES):
            picture[:, index % SIDE] = 250 - picture[:, index % SIDE]
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    done = subprocess.run(
        [sys.executable, "-c", CODE, str(path)],
        check=False,
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1"},
    )
    counts, grown = done.stdout.splitlines()
    assert counts == "300 10", done.stderr
    # ru_maxrss is in KiB; all frames at once would take 52 MB.
    assert int(grown) * 1024 < 35_000_000 < FRAMES * SIDE * SIDE * 3
