"""The papers' tables as Markdown, what was measured here beside them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from benchmarks.reproduction.records import Record, read_record
from benchmarks.reproduction.rows import ROWS, TOLERANCE_DB, PaperRow
from benchmarks.tables import cell, decibels, paragraph, table
from nervid.metrics.rate import bits_per_pixel
from nervid.models.sizing import embedding_count, parameter_count

SOURCE_BYTES: Final = 795_933
"""Bytes of the papers' clip's own video packets, without its sound."""


def reproduction(folder: Path) -> Iterator[str]:
    """Yield the pieces of the page's section; what ``folder`` has no JSON for stays empty."""
    whole, crop, epochs = ROWS[-1].model, ROWS[0].model, ROWS[0].epochs
    source = bits_per_pixel(SOURCE_BYTES, whole.frames, whole.height, whole.width)
    pairs = [(row, read_record(folder, row.name)) for row in ROWS]
    yield "## The papers' figures\n"
    yield paragraph(
        f"""Big Buck Bunny, {whole.frames} frames: {whole.width}x{whole.height} for NeRV, the centre
        {crop.width}x{crop.height} of it for HNeRV and the NeRV that it compares itself with, which is another
        network than NeRV's own; {epochs} epochs of the published recipes, float weights.
        PSNR is the papers': of unrounded images, mean over frames. A row counts as reproduced from
        {TOLERANCE_DB} dB below the paper on. `benchmarks/gpu.sh` measures all this; everything about a row is
        in its JSON in `benchmarks/results/reproduce`."""
    )
    headings = ["network", "paper", "numbers stored", "paper's PSNR (dB)", "PSNR (dB)", "difference"]
    headings += ["reproduced", "paper's MS-SSIM", "MS-SSIM"]
    yield table(headings, [_network_cells(row, record) for row, record in pairs])
    yield "### Their files\n"
    yield paragraph(
        f"""The same networks pruned, quantized to 8 bits, fine-tuned for a quarter as many epochs, entropy
        coded and stored. The size is that of the `.nerv` file, in which positions of zeros are paid for; the
        quality is that of the frames which a fresh process decoded from it. **The clip itself is H.264 at
        {source:.4f} bpp and decodes to these very originals: a file above that rate loses to its source.**
        The papers give no such figures at {epochs} epochs."""
    )
    headings = ["network", "pruned", "bytes", "bpp", "PSNR (dB)", "unrounded (dB)", "against float (dB)"]
    yield table([*headings, "MS-SSIM"], [_file_cells(row, record) for row, record in pairs])
    yield "### Their speed\n"
    yield paragraph(
        """Seconds of fitting and fine-tuning over all calls. Frames per second: one by one out of the decoder
        into memory; and of the network alone, one frame and 16 at a time, left on the device as uint8. First
        frame: from the opened file to it."""
    )
    headings = ["network", "fit (s)", "fine-tuning (s)", "decoder (frames/s)", "network (frames/s)"]
    headings += ["network, 16 at once (frames/s)", "first frame (s)", "measured at"]
    yield table(headings, [_speed_cells(row, record) for row, record in pairs])


def _network_cells(row: PaperRow, record: Record | None) -> list[str]:
    stored = parameter_count(row.model) + embedding_count(row.model)
    published = row.published_psnr_db
    cells = [row.label, row.table, cell(stored), decibels(published)]
    if record is None or published is None:
        return [*cells, "", "", "", cell(row.published_ms_ssim), ""]
    network = record["network"]
    difference = f"{network['psnr_db'] - published:+.2f}"
    ours = [decibels(network["psnr_db"]), difference, cell(record["met"])]
    return [*cells, *ours, cell(row.published_ms_ssim), cell(network["ms_ssim"])]


def _file_cells(row: PaperRow, record: Record | None) -> list[str]:
    cells = [row.label, f"{100 * row.sparsity:.0f} %"]
    if record is None or record["file"] is None:
        return [*cells, *[""] * 6]
    file = record["file"]
    lost = f"{file['psnr_db'] - record['network']['psnr_db']:+.2f}"
    quality = [decibels(file["psnr_8bit_db"]), decibels(file["psnr_db"]), lost, cell(file["ms_ssim"])]
    return [*cells, cell(file["size_bytes"]), cell(file["bits_per_pixel"]), *quality]


def _speed_cells(row: PaperRow, record: Record | None) -> list[str]:
    if record is None:
        return [row.label, *[""] * 7]
    seconds, file = record["seconds"], record["file"] or {}
    speeds = file.get("frames_per_second", {})
    machine = record["hardware"]["gpu"] or record["hardware"]["cpu"]
    return [
        row.label,
        cell(seconds.get("fit")),
        cell(seconds.get("finetune")),
        *[cell(speeds.get(name)) for name in ("decoder", "network_1", "network_16")],
        cell(file.get("first_frame_seconds")),
        f"{record['commit']}, {machine}, torch {record['torch']}",
    ]
