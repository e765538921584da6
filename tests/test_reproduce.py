"""Paper rows run to the end in any number of calls, and what they measured gets into the results."""

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

import nervid
from benchmarks import reproduce
from benchmarks.bars import Hardware, load
from benchmarks.reproduction import playing, records
from benchmarks.reproduction.budget import Budget
from benchmarks.reproduction.rows import ROWS, PaperRow, checked_bunny, row_clip
from benchmarks.reproduction.run import OutOfTimeError, RowRun, Setting
from nervid.data import demo_clip
from nervid.errors import InputError
from nervid.metrics.distortion import psnr
from nervid.models.config import ModelConfig, embedding_count, parameter_count
from nervid.models.sizing import solve
from nervid.video import Clip, read

ROOT = Path(__file__).parents[1]
MACHINE = Hardware(cpu="a CPU", cores=2, gpu="a GPU")
SETTING = Setting(
    device="cpu", seed=1, precision="float32", command="type this", commit="abc1234", hardware=MACHINE
)


def ticks() -> Iterator[float]:
    """A clock that moves on by a second each time it is read."""
    yield from map(float, range(10**9))


def ticking_budget(seconds: float) -> Budget:
    return Budget(seconds, clock=ticks().__next__)


def tiny_row(model: str = "hnerv") -> PaperRow:
    config: ModelConfig = solve(model, frames=8, height=32, width=48, parameters=6000)  # type: ignore[arg-type]
    return PaperRow(
        name="tiny", table="no paper", label="tiny", model=config, recipe="hnerv", sparsity=0.2, epochs=4
    )


@pytest.fixture
def tiny_clip(tiny_frames: np.ndarray) -> Clip:
    return read(tiny_frames, frame_rate=25)


def test_a_call_stops_when_its_time_is_over_but_not_before_its_first_step() -> None:
    now = [0.0]
    budget = Budget(100, clock=lambda: now[0])
    assert budget.allows(1000)
    assert not budget.is_spent()
    assert not budget.is_spent()
    assert budget.allows(95)
    assert not budget.allows(95.1)
    now[0] = 95.0
    assert budget.is_spent()
    late = Budget(1, clock=lambda: now[0])
    now[0] += 50
    assert [late.is_spent() for _ in range(3)] == [False, True, True]
    assert late.allows(1000), "the work after a call's only step must come some time"


def test_a_signal_ends_the_time() -> None:
    budget = Budget(None)
    assert not budget.is_spent()
    assert not budget.is_spent()
    budget.stop()
    assert budget.is_spent()


@pytest.mark.parametrize("model", ["hnerv", "nerv"])
def test_a_row_in_many_calls_is_the_row_in_one(
    model: str, tiny_clip: Clip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.reproduction.run.play_apart", lambda *_: {
        "size_bytes": 1, "bits_per_pixel": 1.0, "psnr_8bit_db": 1.0
    })  # fmt: skip
    whole = RowRun(tiny_row(model), tiny_clip, SETTING, tmp_path / "whole", Budget(None), lambda _: None)
    whole.measure_network()
    wanted = whole.measure_file()
    assert wanted["network"]["psnr_db"] > 5
    assert wanted["steps"] == {"fit": 16, "finetune": 4}
    assert wanted["calls"] == 1
    calls, got = 0, None
    while got is None and calls < 100:
        calls += 1
        cut = RowRun(tiny_row(model), tiny_clip, SETTING, tmp_path / "cut", ticking_budget(4), lambda _: None)
        try:
            cut.measure_network()
            got = cut.measure_file()
        except OutOfTimeError:
            continue
    assert got is not None
    assert got["calls"] == calls > 5
    assert got["network"] == wanted["network"]
    assert cut.file.read_bytes() == whole.file.read_bytes()
    cut.forget()
    assert [path.name for path in (tmp_path / "cut").iterdir()] == ["tiny.nerv"]


@pytest.mark.gpu
def test_a_row_goes_on_where_it_was_on_a_gpu(tiny_clip: Clip, tmp_path: Path) -> None:
    setting = replace(SETTING, device="cuda", precision="auto")
    for _ in range(100):
        run = RowRun(tiny_row(), tiny_clip, setting, tmp_path, ticking_budget(4), lambda _: None)
        try:
            record = run.measure_network()
            record = run.measure_file()
            break
        except OutOfTimeError:
            continue
    assert record["calls"] > 5
    assert record["network"]["psnr_db"] > 5
    assert record["file"]["size_bytes"] == run.file.stat().st_size


def test_the_network_is_recorded_before_its_file(tiny_clip: Clip, tmp_path: Path) -> None:
    run = RowRun(tiny_row(), tiny_clip, SETTING, tmp_path, Budget(None), lambda _: None)
    record = run.measure_network()
    assert record["file"] is None
    assert not records.is_finished(record)
    assert record["parameters"] == parameter_count(tiny_row().model)
    assert record["embedding_numbers"] == embedding_count(tiny_row().model)
    assert set(record["seconds"]) == {"fit", "measure", "total"}
    assert record["seconds"]["total"] >= record["seconds"]["fit"] > 0


def test_facts_of_another_plan_are_not_taken_over(tiny_clip: Clip, tmp_path: Path) -> None:
    first = RowRun(tiny_row(), tiny_clip, SETTING, tmp_path, Budget(None), lambda _: None)
    before = first.measure_network()
    other = replace(SETTING, seed=2)
    again = RowRun(tiny_row(), tiny_clip, other, tmp_path, Budget(None), lambda _: None).measure_network()
    assert again["calls"] == 1
    assert again["network"] != before["network"]


def test_a_file_is_played_in_a_fresh_process(tiny_clip: Clip, tmp_path: Path) -> None:
    lines: list[str] = []
    run = RowRun(tiny_row(), tiny_clip, SETTING, tmp_path, Budget(None), lines.append)
    run.measure_network()
    file = run.measure_file()["file"]
    assert file["size_bytes"] == run.file.stat().st_size
    assert file["bits_per_pixel"] == 8 * file["size_bytes"] / (8 * 32 * 48)
    assert file["ms_ssim"] is None
    with nervid.open(run.file) as decoder:
        originals = torch.from_numpy(tiny_clip.load()).permute(0, 3, 1, 2)
        assert file["psnr_8bit_db"] == pytest.approx(float(psnr(originals, decoder[:]).mean()), abs=1e-9)
    assert file["psnr_db"] == pytest.approx(file["psnr_8bit_db"], abs=0.1)
    assert file["first_frame_seconds"] > 0
    assert set(file["frames_per_second"]) == {"decoder", "network_1", "network_16"}
    assert min(file["frames_per_second"].values()) > 0
    assert f"{file['size_bytes']} bytes" in lines[-1]
    run.file.write_bytes(b"not a file of ours")
    np.save(tmp_path / "frames.npy", tiny_clip.load())
    with pytest.raises(InputError, match=r"tiny\.nerv could not be played \(exit code 1\): .*NotNervError"):
        playing.play_apart(run.file, tmp_path / "frames.npy", "cpu")


def test_rows_are_cropped_around_the_centre() -> None:
    row = replace(tiny_row(), clip="bundled")
    whole = read(demo_clip(), tracks=False)
    clip = row_clip(row)
    assert clip.info.frame_rate == whole.info.frame_rate == Fraction(24)
    np.testing.assert_array_equal(clip.load(), whole.load(0, 8)[:, 74:106, 136:184])


def test_another_clip_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no clip at .*a\.mp4; fetch it \(make clips CLIPS=bbb\)"):
        checked_bunny(tmp_path / "a.mp4")
    with pytest.raises(InputError, match=r"bunny\.mp4 is not the clip bbb"):
        checked_bunny(demo_clip())


def test_the_rows_are_the_papers() -> None:
    found = {
        row.name: (
            row.published_psnr_db,
            round((parameter_count(row.model) + embedding_count(row.model)) / 1e6, 2),
        )
        for row in ROWS
    }
    assert found == {
        "hnerv-0.35M": (30.15, 0.33),
        "hnerv-0.75M": (32.81, 0.74),
        "hnerv-1.5M": (35.57, 1.51),
        "hnerv-3M": (37.43, 3.03),
        "baseline-0.35M": (26.99, 0.36),
        "baseline-0.75M": (28.46, 0.76),
        "baseline-1.5M": (30.87, 1.51),
        "baseline-3M": (33.21, 2.99),
        "nerv-S": (32.21, 3.20),
        "nerv-M": (36.05, 6.28),
        "nerv-L": (39.75, 12.52),
    }
    assert {row.epochs for row in ROWS} == {300}
    assert ROWS[0].least_psnr_db == pytest.approx(29.85)


def record_of(row: PaperRow, psnr_db: float, *, finished: bool = True) -> records.Record:
    return {
        "name": row.name,
        "published_psnr_db": row.published_psnr_db,
        "network": {"psnr_db": psnr_db, "psnr_8bit_db": psnr_db, "ms_ssim": 0.95},
        "file": {"size_bytes": 1} if finished else None,
        "command": "type this",
        "commit": "abc1234",
        "hardware": {"cpu": "a CPU", "cores": 2, "gpu": "a GPU"},
    }


def test_rows_of_another_machine_are_taken_over_with_their_bars(tmp_path: Path) -> None:
    there, here, bars = tmp_path / "there", tmp_path / "here", tmp_path / "bars.json"
    records.write_record(there, record_of(ROWS[0], 29.85))
    records.write_record(there, record_of(ROWS[1], 32.0, finished=False))
    records.write_record(there, record_of(ROWS[2], 35.0, finished=False))
    kept = record_of(ROWS[2], 36.0)
    records.write_record(here, kept)
    combined = records.combine(there, ROWS, tmp_path / "out")
    assert combined == tmp_path / "out" / "reproduce.json"
    assert records.collect(combined, here, bars) == ["hnerv-0.35M", "hnerv-0.75M"]
    assert records.read_record(here, "hnerv-0.35M") == record_of(ROWS[0], 29.85)
    assert records.read_record(here, "hnerv-1.5M") == kept, "an unfinished row replaced a finished one"
    met, missed = load(bars)
    assert (met.issue, met.row) == ("engine", "HNeRV 0.35M, Bunny 1280x640, 300 epochs: PSNR")
    assert (met.value, met.met, met.target) == (29.85, True, ">= 29.85 (HNeRV, Table 2: 30.15, less 0.3)")
    assert (missed.value, missed.met) == (32.0, False)
    assert (missed.hardware, missed.commit, missed.command) == (MACHINE, "abc1234", "type this")


@pytest.mark.parametrize("text", ["", "[]", '{"rows": [1]}', '{"rows": [{"name": "nerv-S", "file": {}}]}'])
def test_a_file_without_rows_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "reproduce.json").write_text(text)
    with pytest.raises(InputError, match=r"reproduce\.json is no reproduce\.json that benchmarks\.reproduce"):
        records.collect(tmp_path / "reproduce.json", tmp_path, tmp_path / "bars.json")
    assert [path.name for path in tmp_path.iterdir()] == ["reproduce.json"]


def test_other_epochs_have_another_name_and_no_promise() -> None:
    options = reproduce.parse(["--rows", "nerv-S", "--epochs", "5"])
    (row,) = reproduce.chosen(options)
    assert (row.name, row.epochs, row.published_psnr_db) == ("nerv-S-5-epochs", 5, None)
    (row,) = reproduce.chosen(reproduce.parse(["--rows", "nerv-S", "--epochs", "300"]))
    assert (row.name, row.published_psnr_db) == ("nerv-S", 32.21)


def test_finished_rows_are_skipped_and_unfinished_ones_need_the_clip(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results, out = tmp_path / "results", tmp_path / "out"
    records.write_record(results, record_of(ROWS[0], 30.0))
    records.write_record(results, record_of(ROWS[1], 32.0, finished=False))
    words = ["--device", "cpu", "--commit", "abc1234", "--results", str(results), "--out", str(out)]
    words += ["--work", str(tmp_path / "work"), "--clip", str(tmp_path / "none.mp4"), "--rows"]
    assert reproduce.run(reproduce.parse([*words, "hnerv-0.35M"]), Budget(None))
    assert capsys.readouterr().out == "hnerv-0.35M: done before\nall rows are done\n"
    assert [r["name"] for r in json.loads((out / "reproduce.json").read_text())["rows"]] == ["hnerv-0.35M"]
    both = [*words, "hnerv-0.35M", "hnerv-0.75M"]
    with pytest.raises(InputError, match="no clip at"):
        reproduce.run(reproduce.parse(both), Budget(None))
    assert reproduce.run(reproduce.parse([*both, "--network-only"]), Budget(None))


def test_the_shell_script_asks_for_what_is_imported() -> None:
    script = (ROOT / "benchmarks" / "gpu.sh").read_text()
    needed = json.loads(re.search(r"NEEDED = (\[.*?\])", script, re.DOTALL)[1])  # type: ignore[index]
    code = "import sys, benchmarks.reproduce; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = {re.split(r"[<>=]", line)[0].replace("-", "_") for line in project["dependencies"]}
    assert needed == sorted(names & set(done.stdout.split()))


def test_the_shell_script_names_what_is_missing(tmp_path: Path) -> None:
    bare = tmp_path / "python"
    bare.write_text(f'#!/bin/sh\nexec {sys.executable} -I -S "$@"\n')
    bare.chmod(0o755)
    done = subprocess.run(
        ["bash", "benchmarks/gpu.sh"], cwd=ROOT, env={"PATH": "/usr/bin:/bin", "PYTHON": str(bare)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert re.fullmatch(r"\S+ cannot import av, .*, torch; install them or set PYTHON\n", done.stderr)
