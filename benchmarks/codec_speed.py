"""Parts of the codec benchmark that take times: seconds to a quality, a film's frame size, playing it."""

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import nervid
from benchmarks.codec_bench import Bench, Row
from benchmarks.codec_clips import Original, path_of
from benchmarks.codec_fits import Effort, Encoding, Encodings, encoded
from benchmarks.codec_play import play, play_apart
from benchmarks.latent_clips import BUNNY
from benchmarks.latent_clips import read as read_bunny
from nervid.errors import InputError

QUICK_SIZE: Final = 340_000
"""Most bytes of the quick fits, 0.4 bits per pixel: what that HNeRV takes at 8 bits."""
QUICK_SECONDS: Final = (5.0, 8.0, 12.0, 19.4, 22.0, 30.0, 60.0)
"""What is asked of ``--time``; one fit from the start for each."""
QUICK_EPOCHS: Final = {"hnerv": (1, 2, 4, 8, 16)}
QUICK_DB: Final = 30.09
"""HNeRV's after 600 seconds on two cores, its published code."""
QUICK_BAR: Final = (20.0, 8.0)
"""Seconds to ``QUICK_DB``, promised and hoped for."""
MINUTE_SECONDS: Final = 60.0
MINUTE_BAR: Final = (32.5, 33.5)
MOST_PARAMETERS: Final = 340_000

FILM: Final = "bbb.mp4"
FILM_SIZE: Final = 1_000_000
"""Bytes of the 1280x720 file: 0.066 bits per pixel."""
FILM_BAR: Final = (32.0, 600.0)
"""PSNR in dB and seconds, promised."""
FILM_HOPED: Final = (33.0, 300.0)
FPS_BAR: Final = (30.0, 60.0)
FIRST_FRAME_BAR: Final = (300.0, 100.0)
MACS_BAR: Final = (10_000.0, 3_000.0)
TURNS: Final = 5
"""Processes that play the file; the median counts."""


def bunny() -> Original:
    """Read Big Buck Bunny at 320x160 as the engine's and Latent-INR's benchmarks have it.

    Raises:
        InputError: If the clip has not been fetched.
    """
    frame_rate = nervid.read(path_of(BUNNY.file), tracks=False).info.frame_rate
    return Original(name=BUNNY.name, frames=read_bunny(BUNNY), frame_rate=frame_rate)


def quick_efforts(network: str) -> list[Effort]:
    """Return the efforts of a network's quick fits, rising."""
    if network in QUICK_EPOCHS:
        return [Effort(epochs=epochs) for epochs in QUICK_EPOCHS[network]]
    return [Effort(seconds=seconds) for seconds in QUICK_SECONDS]


def quick_rows(
    encodings: Encodings,
    original: Original,
    *,
    efforts: Mapping[str, Sequence[Effort]],
    size: int = QUICK_SIZE,
) -> list[Row]:
    """Encode a clip with rising efforts, each time from the start, so that every schedule ends."""
    rows: list[Row] = []
    for network, own in efforts.items():
        for effort in own:
            job = Encoding(network=network, size_bytes=size, effort=effort)
            (facts,) = encodings.outcomes([job], original)
            keys = ("seconds", "psnr_db", "ms_ssim", "bytes", "parameters", "fps", "commit")
            row: Row = {"network": network, "effort": str(effort)} | {key: facts[key] for key in keys}
            rows.append(row)
    return rows


def quick(bench: Bench) -> None:
    """Take the seconds of whole encodings of Bunny at 320x160 and the PSNR of their files."""
    bench.need_cores()
    networks = [name for name in bench.choice.networks if name == "nervid" or name in QUICK_EPOCHS]
    encodings = Encodings(runs=bench.runs, code=bench.choice.code)
    rows = quick_rows(encodings, bunny(), efforts={name: quick_efforts(name) for name in networks})
    for row in rows:
        print(row, flush=True)
    bench.write("quick", {"rows": rows})
    keep_quick(bench, [row for row in rows if row["network"] == "nervid"])


def keep_quick(bench: Bench, rows: Sequence[Row]) -> None:
    """Keep the bars of the quick fits.

    The seconds are the least of a fit that reaches ``QUICK_DB``, or the most of all if none does; the PSNR is
    the best of fits that took a minute or less, of those with no more than ``MOST_PARAMETERS``. Where
    there are none, the bar is missed whatever it is.
    """
    reached = [row["seconds"] for row in rows if row["psnr_db"] >= QUICK_DB]
    seconds = min(reached, default=max(row["seconds"] for row in rows))
    most, hoped = QUICK_BAR
    bench.keep(
        f"Bunny 160x320, whole encoding: time to {QUICK_DB} dB",
        seconds,
        "s",
        f"<= {most:g} (stretch {hoped:g})",
        bool(reached) and seconds <= most,
    )
    least, hoped = MINUTE_BAR
    in_time = [row for row in rows if row["seconds"] <= MINUTE_SECONDS]
    small = [row for row in in_time if row["parameters"] <= MOST_PARAMETERS]
    if in_time:
        best = max(row["psnr_db"] for row in small or in_time)
        bench.keep(
            f"Bunny 160x320, PSNR after {MINUTE_SECONDS:g} s, at most {MOST_PARAMETERS} parameters",
            best,
            "dB",
            f">= {least:g} (stretch {hoped:g})",
            bool(small) and best >= least,
        )


def film() -> Original:
    """Read the whole clip at 1280x720, 0.37 GB.

    Raises:
        InputError: If it has not been fetched.
    """
    clip = nervid.read(path_of(FILM), tracks=False)
    return Original(name="bunny", frames=clip.load(), frame_rate=clip.info.frame_rate)


def film_file(work: Path, network: str) -> Path:
    """Return where the file of :func:`encode720` lies."""
    return work / f"bunny-1280x720-{network}.nerv"


def encode720(bench: Bench) -> None:
    """Encode the clip at 1280x720 in the time that is promised; the preset ``fast`` has more steps."""
    bench.need_cores()
    job = Encoding(network=bench.choice.networks[0], size_bytes=FILM_SIZE, effort=Effort(seconds=FILM_BAR[1]))
    row = film_row(job, film(), film_file(bench.work, job.network))
    if job.network == "nervid":
        keep_film(bench, row)
        bench.write("encode720", {"rows": [row]})


def film_row(job: Encoding, original: Original, path: Path, *, is_apart: bool = True) -> Row:
    """Encode the clip and keep its file; never taken from what is finished, as its file is needed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    facts = encoded(job, original, keep_as=path, is_apart=is_apart)
    row: Row = {"network": job.network, "effort": str(job.effort), "size": original.size}
    keys = ("bytes", "psnr_db", "ms_ssim", "seconds", "parameters", "device", "commit")
    return row | {"frames": len(original.frames)} | {key: facts[key] for key in keys}


def keep_film(bench: Bench, row: Row) -> None:
    """Keep the bar of the large clip: a quality within a time."""
    (least_db, most_seconds), (hoped_db, hoped_seconds) = FILM_BAR, FILM_HOPED
    bench.keep(
        f"{row['frames']} frames of 720p Bunny, 2 cores: PSNR within {most_seconds:g} s",
        row["psnr_db"],
        "dB",
        f">= {least_db:g} (stretch {hoped_db:g} in {hoped_seconds:g} s)",
        row["psnr_db"] >= least_db and row["seconds"] <= most_seconds,
    )


def decode(bench: Bench) -> None:
    """Play the file of :func:`encode720` in fresh processes.

    Raises:
        InputError: If that part has not been run.
    """
    bench.need_cores()
    network = bench.choice.networks[0]
    path = film_file(bench.work, network)
    if not path.is_file():
        raise InputError(f"{path}: no such file; run the part encode720 first")
    row = played_row(path, turns=TURNS) | {"network": network, "size": "1280x720"}
    if network == "nervid":
        keep_played(bench, row)
        bench.write("decode", {"rows": [row]})


def played_row(path: Path, *, turns: int, is_apart: bool = True) -> Row:
    """Play a file some times, each in a fresh process unless it is a toy's; medians."""
    runs = [(play_apart if is_apart else play)(path) for _ in range(turns)]
    row: Row = {"bytes": runs[0]["bytes"], "macs_per_pixel": runs[0]["macs_per_pixel"], "processes": turns}
    return row | {
        key: round(statistics.median(run[key] for run in runs), 1) for key in ("fps", "first_frame_ms")
    }


def keep_played(bench: Bench, row: Row) -> None:
    """Keep the bars of playing."""
    least, hoped = FPS_BAR
    name = "1280x720 file, 2 cores, opening and entropy decoding included: frames a second"
    bench.keep(name, row["fps"], "fps", f">= {least:g} (stretch {hoped:g})", row["fps"] >= least)
    most, hoped = FIRST_FRAME_BAR
    first = row["first_frame_ms"]
    bench.keep(
        "1280x720 file: opening to first frame", first, "ms", f"< {most:g} (stretch {hoped:g})", first < most
    )
    most, hoped = MACS_BAR
    name = "1280x720 file: multiply-accumulates a pixel"
    bench.keep(
        name, row["macs_per_pixel"], "", f"<= {most:g} (stretch {hoped:g})", row["macs_per_pixel"] <= most
    )
