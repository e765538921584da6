"""The smallest run of the codec benchmark: every measurement on tiny frames, nothing is kept."""

import tempfile
from pathlib import Path
from typing import Any, Final

from benchmarks.codec_classical import PRESETS, curve
from benchmarks.codec_clips import synthetic
from benchmarks.codec_curves import ANCHORS, network_row, sizes_for
from benchmarks.codec_fits import Effort, Encoding, Encodings
from benchmarks.codec_plots import plot_rates, plot_time
from benchmarks.codec_speed import film_file, film_row, played_row, quick_rows
from benchmarks.codec_tables import bd_row, with_mean
from benchmarks.meta_runs import Runs

ONCE: Final = Effort(epochs=1)
SIZE: Final = 8_000


def try_out(network: str = "hnerv", *, is_apart: bool = True) -> dict[str, Any]:
    """Measure everything on toys and return the rows by part.

    Args:
        network: The one that is encoded.
        is_apart: Whether fresh processes play the files.
    """
    original = synthetic()
    with tempfile.TemporaryDirectory() as name, Runs(None, workers=0) as runs:
        folder = Path(name)
        encodings = Encodings(runs=runs, is_apart=is_apart)
        curves = {codec: curve(runs, original, codec, low_db=33, high_db=34) for codec in PRESETS}
        found: dict[str, Any] = {"classical": list(curves.values())}
        found["sizes"] = sizes_for(network, curves["x265"])
        curves[network] = network_row(encodings, original, network, [SIZE, 2 * SIZE], ONCE)
        found["curves"] = curves[network]
        row = {"clip": original.name}
        found["rows"] = with_mean([bd_row(row, curves, "svtav1", ANCHORS)], row={})
        found["quick"] = quick_rows(encodings, original, efforts={network: [ONCE]}, size=SIZE)
        job = Encoding(network=network, size_bytes=SIZE, effort=ONCE)
        path = film_file(folder, network)
        found["encode720"] = film_row(job, original, path, is_apart=is_apart)
        found["decode"] = played_row(path, turns=1, is_apart=is_apart)
        plot_rates(found["classical"] + [found["curves"]], folder / "rd.png")
        plot_time(found["quick"], folder / "time.png")
    return found
