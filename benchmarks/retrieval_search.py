"""Search one aligned file in a process of its own: prints one JSON object.

python -m benchmarks.retrieval_search TEACHER FILE QUERY [QUERY ...]

The teacher is loaded, and has read one other text, before the clock starts. Each query is then asked once:
its time is that of opening the file, reading it, encoding the text, and ranking.
"""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.bars import ROOT
from benchmarks.retrieval_toy import NAME as TOY
from benchmarks.retrieval_toy import ToyTeacher
from nervid.errors import InputError
from nervid.retrieval.query import Query
from nervid.retrieval.search import search_with_report
from nervid.teachers import load_teacher


def measure(teacher_name: str, path: Path, queries: Sequence[str]) -> dict[str, Any]:
    """Time queries on one file that is aligned with the teacher of that name.

    Returns:
        ``milliseconds`` of each query and their ``median_milliseconds``, ``bytes_read`` of the file by one
        query, its ``size_bytes``, its ``frames``, and the ``best_seconds`` of each query's first moment.

    Raises:
        InputError: If the file is not aligned with that teacher.
    """
    teacher = ToyTeacher() if teacher_name == TOY else load_teacher(teacher_name)
    teacher.text(["anything"])
    seconds, best = [], []
    for text in queries:
        started = time.perf_counter()
        report = search_with_report(path, Query(text=text), teacher=teacher)
        seconds.append(time.perf_counter() - started)
        best.append(round(report.moments[0].best_seconds, 2))
    (reading,) = report.files
    return {
        "milliseconds": [round(1e3 * value, 1) for value in seconds],
        "median_milliseconds": round(1e3 * statistics.median(seconds), 1),
        "bytes_read": reading.bytes_read,
        "size_bytes": reading.size_bytes,
        "frames": reading.frames,
        "best_seconds": best,
    }


def measured_apart(teacher_name: str, path: Path, queries: Sequence[str]) -> dict[str, Any]:
    """Do what :func:`measure` does in a fresh process.

    Raises:
        InputError: If that process fails; the message has its last line.
    """
    command = [sys.executable, "-m", "benchmarks.retrieval_search", teacher_name, str(path), *queries]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = (done.stderr.strip().splitlines() or ["nothing"])[-1]
        raise InputError(f"searching {path} failed: {said}")
    facts: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return facts


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])))
