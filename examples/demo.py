"""Encode the bundled clip, decode it in new processes, measure it, and leave the results in out/."""

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

import nervid
from nervid.compare.plot import side_by_side

OUT = Path("out")
BITS_PER_PIXEL, EPOCHS = 0.35, 60


def run(*arguments: object) -> dict[str, object]:
    """Run one nervid command in a new process and return its JSON; progress goes to the terminal."""
    words = [str(argument) for argument in arguments]
    print("$ nervid", *words, file=sys.stderr, flush=True)
    done = subprocess.run(
        [sys.executable, "-m", "nervid", *words, "--json"], check=True, stdout=subprocess.PIPE, text=True
    )
    result: dict[str, object] = json.loads(done.stdout)
    return result


def draw_picture(clip: nervid.Clip, file: Path, picture: Path, psnr_db: list[float], bpp: float) -> None:
    """Write the frame of median quality as original | decoded | difference."""
    frame = int(np.argsort(psnr_db)[len(psnr_db) // 2])
    with nervid.open(file) as video:
        decoded = video[frame].permute(1, 2, 0).numpy()
    side_by_side(
        next(clip.iter_frames(frame, frame + 1)),
        decoded,
        picture,
        bpp=bpp,
        psnr_db=psnr_db[frame],
        title=f"Big Buck Bunny, frame {frame}",
    )


def main() -> None:
    """Run the demo from end to end."""
    started = time.monotonic()
    OUT.mkdir(exist_ok=True)
    source, file, video, picture = (
        nervid.demo_clip(),
        OUT / "bunny.nerv",
        OUT / "bunny.mp4",
        OUT / "bunny.png",
    )
    encoded = run("encode", source, file, "--bpp", BITS_PER_PIXEL, "--epochs", EPOCHS)
    decoded = run("decode", file, video)
    compared = run("compare", source, file, "--plot", OUT / "plots.png")
    (measured,) = compared["files"]  # type: ignore[misc]
    draw_picture(
        nervid.read(source), file, picture, measured["psnr_db_per_frame"], measured["bits_per_pixel"]
    )

    table = Table(title="48 frames of Big Buck Bunny, 320x180, with sound", title_justify="left")
    for name in ("size", "bpp", "PSNR", "MS-SSIM", "encode", "decode"):
        table.add_column(name, justify="right")
    table.add_row(
        f"{measured['size_bytes'] / 1000:.1f} kB",
        f"{measured['bits_per_pixel']:.4f}",
        f"{measured['psnr_db']:.2f} dB",
        f"{measured['ms_ssim']:.4f}",
        f"{encoded['seconds']:.1f} s",
        f"{measured['decode_frames_per_second']:.1f} fps",
    )
    console = Console()
    console.print(table)
    console.print(
        f"{file}  the network\n{video}  decoded, {decoded['frames']} frames and the clip's own sound"
    )
    console.print(f"{picture}  original | decoded | difference\n{OUT / 'plots.png'}  quality of every frame")
    console.print(f"{time.monotonic() - started:.0f} s in all")


if __name__ == "__main__":
    main()
