"""``nervid meta-train`` as a user meets it."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import nervid
from nervid.cli.main import FAILED, STOPPED, WRONG_USAGE, main
from nervid.meta.config import MetaConfig
from nervid.meta.windows import Windows
from nervid.models.config import ModelConfig
from nervid.models.registry import build
from tests.meta.samples import counting
from tests.meta.toys import NERV

QUICK = ["--size", "64", "--frames", "2", "--steps", "4", "--tasks", "1", "--inner-steps", "1"]
QUICK += ["--model", "nerv", "--device", "cpu"]


def small_network(_: MetaConfig) -> ModelConfig:
    return replace(NERV, height=64, width=64, base_height=8, base_width=8)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nervid.meta.learner.learned_config", small_network)
    monkeypatch.setattr("nervid.meta.learner.FIRST_RATES", (0.1,))
    monkeypatch.setattr("nervid.cli.meta_train.HELD_OUT_WINDOWS", 2)


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    """A folder of two videos and a file that is none."""
    folder = tmp_path / "videos"
    for number in range(2):
        counting(folder / f"{number}.mkv", 8, first=20 * number)
    (folder / "broken.mp4").write_bytes(b"no video" * 10_000)
    return folder


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_its_help_loads_no_torch() -> None:
    code = (
        "import sys; from nervid.cli.main import main\n"
        "try: main(['meta-train', '--help'])\nexcept SystemExit: pass\n"
        "assert not {'torch', 'cv2', 'av'} & set(sys.modules), 'loaded'"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert "--coarse-weight" in done.stdout


def test_it_writes_an_initialization_and_a_curve_and_says_so(
    videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output, held_out = tmp_path / "out" / "init.safetensors", counting(tmp_path / "held-out.mkv", 9)
    output.parent.mkdir()
    words = ["meta-train", str(videos), "--output", str(output), *QUICK]
    assert main([*words, "--held-out", str(held_out)]) == 0
    printed = capsys.readouterr()
    learned = nervid.Initialization.load(output)
    size = output.stat().st_size
    points = [json.loads(line) for line in (output.parent / "init.curve.jsonl").read_text().splitlines()]
    assert (
        f"init.safetensors: {size / 1000:.3g} kB ({size} bytes), sha256 {learned.sha256[:12]}" in printed.out
    )
    last = points[-1]
    assert (
        f"held-out windows {last['held_out_start_db']:.2f} -> {last['held_out_db']:.2f} dB in 1 steps"
        in printed.out
    )
    assert printed.out.strip().endswith("on cpu")
    assert "learning from 3 videos and 0 photographs;" in printed.err
    assert f"warning: 1 of 3 files could not serve: {videos}/broken.mp4: not a video" in printed.err
    assert names(output.parent) == ["init.curve.jsonl", "init.safetensors"]
    assert [point["step"] for point in points] == [1, 2, 3, 4]
    assert (learned.provenance["sources"], len(learned.provenance["fingerprint"])) == (3, 64)
    assert main([*words, "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["sha256"] == learned.sha256
    assert (facts["size_bytes"], facts["held_out_db"], facts["device"]) == (size, None, "cpu")
    assert facts["adapted_db"] > facts["start_db"] > 0


def test_it_stops_at_ctrl_c_and_goes_on_to_the_same_bytes(
    videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, broken = tmp_path / "whole.safetensors", tmp_path / "broken.safetensors"
    assert main(["meta-train", str(videos), "--output", str(whole), *QUICK]) == 0
    window = Windows.window
    asked: list[int] = []

    def stopping(windows: Windows, number: int) -> torch.Tensor:
        asked.append(number)
        if len(asked) == 7:  # Four choose the first rate, then a step takes one each.
            os.kill(os.getpid(), signal.SIGINT)
        return window(windows, number)

    monkeypatch.setattr(Windows, "window", stopping)
    words = ["meta-train", str(videos), "--output", str(broken), *QUICK]
    assert main(words) == STOPPED
    assert "stopped; the state is in" in capsys.readouterr().err
    assert not broken.exists()
    assert (tmp_path / "broken.safetensors.partial").exists()
    assert main(words) == 0
    printed = capsys.readouterr()
    assert "found broken.safetensors.partial: going on from there" in printed.err
    assert "training windows" in printed.out
    assert asked[7:] == [3]
    assert broken.read_bytes() == whole.read_bytes()
    assert not (tmp_path / "broken.safetensors.partial").exists()


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ([], WRONG_USAGE, "wanted videos to learn from, got none"),
        (["EMPTY"], WRONG_USAGE, "empty: wanted at least one video"),
        (["none"], WRONG_USAGE, "none: no such file or folder"),
        (["VIDEOS", "--frames", "16"], WRONG_USAGE, "no clip has the 16 frames without a cut"),
        (["VIDEOS", "--held-out", "EMPTY"], WRONG_USAGE, "empty: wanted at least one video"),
        (["VIDEOS", "--held-out", "SHORT"], WRONG_USAGE, "held-out videos: no clip has the 2 frames"),
        (["VIDEOS", "--size", "100"], WRONG_USAGE, "size must be a multiple of 64"),
        (["VIDEOS", "--frames", "3"], WRONG_USAGE, "frames must be a power of two"),
        (["VIDEOS", "--device", "cuda:1"], WRONG_USAGE, "no CUDA device is there"),
        (["VIDEOS", "--output", "init.pt"], WRONG_USAGE, "output must end in .safetensors, got 'init.pt'"),
        (["VIDEOS", "--output", "no/init.safetensors"], FAILED, "no folder no; create it first"),
    ],
)
def test_what_cannot_be_is_one_line_and_leaves_nothing(
    words: list[str],
    code: int,
    message: str,
    videos: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    counting(tmp_path / "short.mkv", 1)
    before = names(tmp_path)
    places = {"VIDEOS": "videos", "EMPTY": "empty", "SHORT": "short.mkv"}
    words = [places.get(word, word) for word in words]
    assert main(["meta-train", *QUICK, "--output", "init.safetensors", *words]) == code
    printed = capsys.readouterr()
    lines = [line for line in printed.err.strip().splitlines() if not line.startswith("learning from")]
    assert len(lines) == 1, printed.err
    assert message in lines[0]
    assert printed.out == ""
    assert names(tmp_path) == before


def test_learning_that_diverges_is_one_line(
    videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("nervid.meta.learner.FIRST_RATES", (1e36,))
    words = ["meta-train", str(videos), "--output", str(tmp_path / "a.safetensors"), *QUICK]
    assert main([*words, "--steps", "40", "--inner", "gradient"]) == WRONG_USAGE
    printed = capsys.readouterr().err
    assert "InputError: meta-training diverged at step 20; choose a lower --learning-rate" in printed
    assert "Traceback" not in printed
    assert not (tmp_path / "a.safetensors").exists()


RANKS = """
import sys
from dataclasses import replace
from nervid.meta import learner
from tests.meta.toys import NERV
learner.learned_config = lambda _: replace(NERV, height=64, width=64, base_height=8, base_width=8)
learner.FIRST_RATES = (0.1,)
from nervid.cli.main import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.slow
def test_two_ranks_learn_what_one_process_does(videos: Path, tmp_path: Path) -> None:
    script = tmp_path / "ranks.py"
    script.write_text(RANKS)
    words = ["meta-train", str(videos), *QUICK, "--tasks", "2", "--learning-rate", "0.1"]
    words += ["--precision", "float32"]
    assert main([*words, "--output", str(tmp_path / "one.safetensors")]) == 0
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    done = subprocess.run(
        [*launch, str(script), *words, "--output", str(tmp_path / "two.safetensors")],
        check=False,
        capture_output=True,
        text=True,
        timeout=100,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join([os.getcwd(), "tests"])},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("two.safetensors: ") == 1
    assert "on 2 ranks of cpu" in done.stdout
    one, two = (nervid.Initialization.load(tmp_path / f"{name}.safetensors") for name in ("one", "two"))
    start = dict(build(one.config, seed=1).named_weights())
    for name, weight in one.weights.items():
        # The sums are the same in another order; Adam divides by them, float16 rounds what comes out.
        torch.testing.assert_close(two.weights[name], weight, rtol=2e-3, atol=1e-3, msg=name)
    assert max(float((one.weights[name] - start[name].detach()).abs().max()) for name in start) > 0.02
    assert two.rates["network.stem.0.weight"] == pytest.approx(one.rates["network.stem.0.weight"], rel=1e-3)
