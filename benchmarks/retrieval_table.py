"""The section of docs/results.md on search by latents, from the JSON of benchmarks/retrieval.py."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from benchmarks.tables import cell, decibels, paragraph, table

WORST_SHOWN: Final = 5
"""Items with the lowest cosine that the page names; the JSON has all."""


def retrieval(facts: Mapping[str, Any]) -> Iterator[str]:
    """Yield the section's blocks, its heading first.

    Args:
        facts: What ``benchmarks.retrieval`` left in ``benchmarks/results/retrieval.json``.
    """
    yield "## Search by latents\n"
    for part, blocks in (("fidelity", _fidelity), ("film", _film)):
        if part in facts:
            yield from blocks(facts[part])
            commit = facts[part]["commit"]
            yield f"`{facts['command']} {part}` at {commit} on {facts['hardware']['cpu']}\n"


def _fidelity(facts: Mapping[str, Any]) -> Iterator[str]:
    kinds = {row["kind"]: row["queries"] for row in facts["recall"]}
    yield paragraph(
        f"""{facts["texts"]} texts rank {facts["items"]} items ({facts["frames"]:,} frames; the packaged
        natural clips and shots of Big Buck Bunny), each in a file of its own, aligned with `conse`: once by
        the vectors that are read from the files, once by the teacher's own vectors of the same frames. An
        item's score is that of its best frame. Frames are small and fits short: only the stored vectors are
        looked at. {kinds.get("phrase", 0)} texts are phrases written from the clips' frames;
        {kinds.get("label", 0)} are names of ImageNet's labels that fit where the teacher's own classifier
        ranks them first on an item's middle frame: no truth of ours, and kind to the teacher. R@k is the
        share of texts with an item that fits among the first k.
        ([JSON](../benchmarks/results/retrieval.json))"""
    )
    names = {"all": "all texts", "phrase": "phrases", "label": "labels"}
    yield table(
        ["", "texts", "R@1, files (%)", "R@1, teacher (%)", "R@10, files (%)", "R@10, teacher (%)"],
        [
            [names.get(row["kind"], row["kind"]), cell(row["queries"])]
            + [cell(row[f"r_at_{k}_{source}_percent"]) for k in (1, 10) for source in ("file", "teacher")]
            for row in facts["recall"]
        ],
    )
    worst = sorted(facts["files"], key=lambda row: float(row["cosine"]))[:WORST_SHOWN]
    yield table(
        ["both rankings against each other", ""],
        [
            ["Kendall's tau of items, mean over texts", cell(facts["kendall_tau_items"])],
            ["Kendall's tau of frames, mean over texts", cell(facts["kendall_tau_frames"])],
            ["texts with the same first item (%)", cell(facts["same_first_percent"])],
            ["cosine of a frame's two vectors, mean", cell(facts["cosine"])],
            ["the same, lowest items", ", ".join(f"{row['item']} {cell(row['cosine'])}" for row in worst)],
        ],
    )


def _film(facts: Mapping[str, Any]) -> Iterator[str]:
    passes = "once" if facts["epochs"] == 1 else f"{facts['epochs']} times"
    yield paragraph(
        f"""One file of {facts["seconds"]:.0f} s: all {facts["frames"]:,} frames of the film at
        {facts["width"]}x{facts["height"]}, each fitted {passes}. A query is timed in a fresh process whose
        teacher is loaded, from opening the file to the ranked moments, the text's vector included; the median
        of {len(facts["query_milliseconds"])} texts. The share that is read depends on the rate: what is read
        does not grow with pictures or their quality."""
    )
    yield table(
        ["bytes", "bpp", "segments", "PSNR (dB)", "cosine", "query (ms)", "read (bytes)", "read (%)"],
        [
            [
                cell(facts["bytes"]),
                cell(facts["bits_per_pixel"]),
                cell(facts["segments"]),
                decibels(facts["psnr_db"]),
                cell(facts["cosine"]),
                cell(facts["median_milliseconds"]),
                cell(facts["bytes_read"]),
                cell(facts["share_read_percent"]),
            ]
        ],
    )
