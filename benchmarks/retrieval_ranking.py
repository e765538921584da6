"""Two rankings of the same items, by the vectors in files and by the teacher's own, against the truth."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from jaxtyping import Float, Float64

from benchmarks.retrieval_items import TextQuery
from nervid.retrieval.aligned import AlignedFile
from nervid.retrieval.moment import smooth

FRAME_STEP: Final = 8
"""Which frames the agreement on frames is computed over: every eighth of all items' frames."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scores:
    """How well everything fits each query, by one kind of vectors."""

    items: Float64[np.ndarray, "queries items"]
    """The score of each item: that of its best frame, smoothed as search does."""
    frames: Float64[np.ndarray, "queries frames"]
    """The smoothed scores of every ``FRAME_STEP``-th frame of all items together."""


def scores(
    files: Sequence[AlignedFile],
    vectors: Sequence[Float[np.ndarray, "frames dimension"]],
    queries: Float[np.ndarray, "queries dimension"],
) -> Scores:
    """Score items for queries.

    Args:
        files: Give the frames' times.
        vectors: Of length 1, one array per file; the file's own or others of the same frames.
        queries: Of length 1.
    """
    smoothed = []
    for file, rows in zip(files, vectors, strict=True):
        cosines = rows @ queries.T
        times = file.times
        smoothed.append(np.stack([smooth(column, times) for column in np.ascontiguousarray(cosines.T)]))
    return Scores(
        items=np.stack([rows.max(axis=1) for rows in smoothed], axis=1),
        frames=np.concatenate(smoothed, axis=1)[:, ::FRAME_STEP],
    )


def kendall_tau(first: Float64[np.ndarray, " n"], second: Float64[np.ndarray, " n"]) -> float:
    """Return how far two scores agree on the order of every pair: 1 the same order, -1 the reverse.

    Source:
        Kendall's tau-b (Biometrika 33, 1945), which allows for ties; 0 where one score has only ties.
    """
    upper = np.triu_indices(len(first), 1)
    one, two = (np.sign(values[:, None] - values)[upper] for values in (first, second))
    pairs = float(np.sqrt(np.square(one).sum() * np.square(two).sum()))
    return float(one @ two) / pairs if pairs else 0.0


def first_rank(scores: Float64[np.ndarray, " items"], names: Sequence[str], fitting: frozenset[str]) -> int:
    """Return the rank, from 1, of the best item that fits; equal scores stay in the items' order."""
    order = np.argsort(-scores, kind="stable")
    return 1 + next(rank for rank, index in enumerate(order) if names[index] in fitting)


def compare(
    names: Sequence[str], queries: Sequence[TextQuery], by_file: Scores, by_teacher: Scores
) -> dict[str, Any]:
    """Hold two rankings against the truth and against each other.

    Args:
        names: Of the items.
        queries: With the items that they fit.
        by_file: Scores by the vectors read from files.
        by_teacher: Scores by the teacher's own vectors of the same frames.

    Returns:
        ``recall``, rows with the share of queries, in percent, that have an item that fits at rank 1 (R@1) or
        among the first ten (R@10); ``kendall_tau_items`` and ``kendall_tau_frames``, means over queries;
        ``same_first_percent``, the share of queries with the same first item; and ``queries``, a row each.
    """
    rows: list[dict[str, Any]] = []
    for index, query in enumerate(queries):
        ours, theirs = by_file.items[index], by_teacher.items[index]
        rows.append(
            {
                "query": query.text,
                "kind": query.kind,
                "items": len(query.items),
                "rank_file": first_rank(ours, names, query.items),
                "rank_teacher": first_rank(theirs, names, query.items),
                "first_file": names[int(np.argmax(ours))],
                "first_teacher": names[int(np.argmax(theirs))],
                "tau_items": round(kendall_tau(ours, theirs), 4),
                "tau_frames": round(kendall_tau(by_file.frames[index], by_teacher.frames[index]), 4),
            }
        )
    kinds = list(dict.fromkeys(query.kind for query in queries))
    return {
        "recall": [_recall("all", rows)]
        + [_recall(kind, [row for row in rows if row["kind"] == kind]) for kind in kinds],
        "kendall_tau_items": round(statistics.mean(row["tau_items"] for row in rows), 4),
        "kendall_tau_frames": round(statistics.mean(row["tau_frames"] for row in rows), 4),
        "same_first_percent": _percent([row["first_file"] == row["first_teacher"] for row in rows]),
        "queries": rows,
    }


def _recall(kind: str, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    found = {
        f"r_at_{k}_{source}_percent": _percent([row[f"rank_{source}"] <= k for row in rows])
        for k in (1, 10)
        for source in ("file", "teacher")
    }
    return {"kind": kind, "queries": len(rows)} | found


def _percent(hits: Sequence[bool]) -> float:
    return round(100 * sum(hits) / len(hits), 2)
