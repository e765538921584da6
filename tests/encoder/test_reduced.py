"""Files with a preview head, decoded small by a process that knows nothing but the file."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import nervid

SIZE = 21_000
PROGRAM = """
import sys, numpy, torch, nervid
video = nervid.open(sys.argv[1])
full = video[:].double()
for factor in (2, 4):
    size = tuple(-(-side // factor) for side in full.shape[2:])
    small = torch.stack([video.frame_at(video.seconds_of(i), size=size) for i in range(len(video))])
    means = torch.nn.functional.avg_pool2d(full, factor, ceil_mode=True)
    errors = (small.double() - means).square().mean(dim=(1, 2, 3))
    print(*small.shape, float((10 * (255**2 / errors).log10()).mean()))
"""


@pytest.fixture(scope="module")
def waves() -> np.ndarray:
    """Sines that wander, uint8 [8, 36, 52, 3]: sides that are multiples of 4, not of 16."""
    rows, columns = np.mgrid[0:36, 0:52]
    return np.stack(
        [
            np.stack(
                [128 + 90 * np.sin((columns + 2 * i) / 9), 128 + 90 * np.cos((rows - i) / 8), rows * 5],
                axis=-1,
            )
            for i in range(8)
        ]
    ).astype(np.uint8)


def small_sizes(path: Path) -> list[tuple[tuple[int, ...], float]]:
    """Shape at half and at a quarter of the size, and PSNR against the full frames' area averages."""
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(path)], capture_output=True, text=True, check=True
    )
    lines = [line.split() for line in run.stdout.splitlines()]
    return [(tuple(int(side) for side in line[:4]), float(line[4])) for line in lines]


def test_half_and_quarter_size_resemble_the_averaged_full_size(waves: np.ndarray, tmp_path: Path) -> None:
    encoded = nervid.encode(nervid.read(waves), model="nervid", size=f"{SIZE}B", epochs=40)
    assert len(encoded.data) <= SIZE
    half, quarter = small_sizes(encoded.save(tmp_path / "a.nerv"))
    assert half[0] == (8, 3, 18, 26)
    assert quarter[0] == (8, 3, 9, 13)
    # Half size is exact but for rounding, and for colors that were cut off at 0 and 255.
    assert half[1] > 55
    assert quarter[1] > 25
