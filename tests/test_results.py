"""The results page says what the JSON says, and the committed page is the one that the JSON gives."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.bars import Bar, Hardware, to_json
from benchmarks.report import PAGE, page
from benchmarks.tables import cell, heading, paragraph, table, table_of
from nervid.errors import InputError

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
GPU = {"cpu": "a CPU", "cores": 16, "gpu": "a GPU"}
RECORD: dict[str, Any] = {
    "name": "nerv-S",
    "met": True,
    "network": {"psnr_db": 32.3, "psnr_8bit_db": 32.29, "ms_ssim": 0.95555},
    "file": {
        "size_bytes": 2_000_000,
        "bits_per_pixel": 0.13152,
        "psnr_db": 32.1,
        "psnr_8bit_db": 32.08,
        "ms_ssim": 0.954,
        "first_frame_seconds": 0.25,
        "frames_per_second": {"decoder": 50.0, "network_1": 100.0, "network_16": None},
    },
    "seconds": {"fit": 300.5, "finetune": 80.0, "total": 400.0},
    "commit": "abc1234",
    "hardware": GPU,
    "torch": "2.11.0",
}


def write(folder: Path, name: str, value: object) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))


def lines_with(text: str, start: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith(start)]


def test_the_committed_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(BENCHMARKS), "run make results"


def test_without_json_the_papers_stand_alone(tmp_path: Path) -> None:
    text = page(tmp_path)
    assert lines_with(text, "| NeRV-S |") == [
        "| NeRV-S | NeRV, Table 3 | 3,201,905 | 32.21 |  |  |  |  |  |",
        "| NeRV-S | 40 % |  |  |  |  |  |  |",
        "| NeRV-S |  |  |  |  |  |  |  |",
    ]
    assert lines_with(text, "| HNeRV 1.5M | HNeRV") == [
        "| HNeRV 1.5M | HNeRV, Table 2 | 1,505,172 | 35.57 |  |  |  | 0.9773 |  |"
    ]
    assert lines_with(text, "## ") == ["## The papers' figures"]


def test_a_row_stands_beside_its_paper(tmp_path: Path) -> None:
    write(tmp_path, "results/reproduce/nerv-S.json", RECORD)
    assert lines_with(page(tmp_path), "| NeRV-S |") == [
        "| NeRV-S | NeRV, Table 3 | 3,201,905 | 32.21 | 32.30 | +0.09 | yes |  | 0.9556 |",
        "| NeRV-S | 40 % | 2,000,000 | 0.1315 | 32.08 | 32.10 | -0.20 | 0.954 |",
        "| NeRV-S | 300.5 | 80 | 50 | 100 |  | 0.25 | abc1234, a GPU, torch 2.11.0 |",
    ]


def test_a_row_without_its_file_leaves_those_cells_empty(tmp_path: Path) -> None:
    unfinished = RECORD | {"file": None, "met": False, "seconds": {"fit": 300.5, "total": 301.0}}
    write(tmp_path, "results/reproduce/nerv-S.json", unfinished)
    network, file, speed = lines_with(page(tmp_path), "| NeRV-S |")
    assert network.endswith("| 32.30 | +0.09 | no |  | 0.9556 |")
    assert file == "| NeRV-S | 40 % |  |  |  |  |  |  |"
    assert speed == "| NeRV-S | 300.5 |  |  |  |  |  | abc1234, a GPU, torch 2.11.0 |"


def test_a_file_becomes_tables_and_says_what_measured_it(tmp_path: Path) -> None:
    facts = {
        "command": "make it",
        "commit": "0123456789-dirty",
        "hardware": GPU,
        "epochs": 8,
        "rows": [
            {"slug": "engine", "row": "step", "value": 1.5, "unit": "s", "target": "<= 2", "met": True},
            {"slug": "engine", "row": "play", "value": 30, "unit": "", "official": 9.87654, "met": False},
        ],
    }
    write(tmp_path, "results/engine.json", facts)
    text = page(tmp_path)
    section = text[text.index("## Fitting and playing on a CPU") :]
    assert section.partition("\n\n")[2].partition("\n\n")[2] == (
        "| epochs |\n| --- |\n| 8 |\n\n"
        "| row | value | target | met | official |\n| --- | --- | --- | --- | --- |\n"
        "| step | 1.5 s | <= 2 | yes |  |\n| play | 30 |  | no | 9.877 |\n\n"
        "`make it` at 0123456-dirty on a GPU, 16 cores\n"
    )


@pytest.mark.parametrize(
    ("commits", "shown"),
    [(["ab", "ab", None], "| clip |\n"), (["ab", "cd", None], "| clip | commit |\n")],
)
def test_rows_of_different_commits_say_theirs(tmp_path: Path, commits: list[str | None], shown: str) -> None:
    write(tmp_path, "results/frame_queue.json", [{"clip": "a", "commit": commit} for commit in commits])
    assert shown in page(tmp_path)


def test_files_that_nobody_announced_follow_under_their_names(tmp_path: Path) -> None:
    write(tmp_path, "results/frame_queue.json", [{"clip": "a", "frames_per_second": 5.0}])
    write(tmp_path, "results/size_promise.json", {"rows": []})
    text = page(tmp_path)
    assert lines_with(text, "## ") == ["## The papers' figures", "## Kept sizes", "## Frame queue"]
    assert text.endswith("| clip | frames per second |\n| --- | --- |\n| a | 5 |\n")


def test_a_file_that_is_not_json_is_named(tmp_path: Path) -> None:
    write(tmp_path, "results/loader.json", {})
    (tmp_path / "results" / "loader.json").write_text("{")
    with pytest.raises(InputError, match=r"loader\.json is not JSON .*; run its benchmark again"):
        page(tmp_path)


def test_promises_come_missed_ones_first(tmp_path: Path) -> None:
    kept = Bar(
        issue="core",
        row="size | share",
        value=0.98765,
        unit="",
        target="<= 1",
        met=True,
        command="make bars",
        commit="abc1234",
        hardware=Hardware(cpu="a CPU", cores=2, gpu=None),
    )
    missed = replace(kept, row="speed", value=12.0, unit="s", met=False)
    (tmp_path / "bars.json").write_text(to_json([kept, missed]))
    text = page(tmp_path)
    assert "1 of 2 met" in text
    assert lines_with(text, "| no") + lines_with(text, "| yes") == [
        "| no | core: speed | 12 s | <= 1 | not known | abc1234, a CPU |",
        "| yes | core: size \\| share | 0.9877 | <= 1 |  | abc1234, a CPU |",
    ]


def test_columns_come_in_the_order_of_first_appearance() -> None:
    rows = [{"b": 1, "bytes": {"x": 2, "y": None}}, {"a_db": 1.0, "b": [3, 4], "hidden": 0}]
    assert table_of(rows, leave_out=["hidden"]).splitlines() == [
        "| b | bytes: x | bytes: y | a (dB) |",
        "| --- | --- | --- | --- |",
        "| 1 | 2 |  |  |",
        "| 3, 4 |  |  | 1.00 |",
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (True, "yes"),
        (False, "no"),
        (1234567, "1,234,567"),
        (0.98551, "0.9855"),
        (40.123, "40.12"),
        (12345.6, "12,346"),
        (-0.00012344, "-0.0001234"),
        ([1, 2.5], "1, 2.5"),
        ("a", "a"),
    ],
)
def test_values_are_written_for_a_reader(value: object, text: str) -> None:
    assert cell(value) == text


def test_keys_become_words_with_units() -> None:
    keys = ["psnr_db", "six_bit_psnr_db", "ms_ssim", "first_frame_seconds", "size_bytes", "bytes", "bits"]
    assert [heading(key) for key in keys] == [
        "PSNR (dB)",
        "six bit PSNR (dB)",
        "MS-SSIM",
        "first frame (s)",
        "size (bytes)",
        "bytes",
        "bits",
    ]


def test_a_cell_stays_in_its_place() -> None:
    assert table(["a"], [["x | y\nz"]]) == "| a |\n| --- |\n| x \\| y z |\n"


def test_paragraphs_are_even() -> None:
    text = paragraph("word " * 60)
    assert max(map(len, text.splitlines())) <= 118
    assert text.split() == ["word"] * 60
