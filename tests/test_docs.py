"""What the README shows works: its Python runs, its commands parse, its links lead somewhere."""

import re
import shlex
from pathlib import Path
from pkgutil import resolve_name

import av
import numpy as np
import pytest

from nervid.cli.main import _parse
from nervid.encoder.budget import stored_count
from nervid.fit.recipe import RATE_DISTORTION_PRESETS, Effort
from nervid.models.nervid_sizing import solve_nervid
from nervid.models.sizing import macs_per_pixel

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """The fenced blocks of a language, fences left out; every second part between fences is a block."""
    parts = re.split(r"^```", README, flags=re.MULTILINE)[1::2]
    return [part.partition("\n")[2] for part in parts if part.partition("\n")[0] == language]


# On a machine with one core, two workers are more than torch suggests.
@pytest.mark.filterwarnings("ignore:This DataLoader will create")
def test_the_python_of_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with av.open("a.mp4", "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "1"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for index in range(140):
            picture = np.full((48, 64, 3), index, dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    monkeypatch.setitem(RATE_DISTORTION_PRESETS, "balanced", Effort(epochs=1, minimum_steps=1))
    code = "\n".join(blocks("python"))
    exec(compile(code, "README.md", "exec"), {})
    assert Path("a.nerv").stat().st_size <= 0.1 * 140 * 48 * 64 / 8


def test_the_commands_of_the_readme_are_understood() -> None:
    lines = [line for block in blocks("") for line in block.splitlines() if line.startswith("nervid ")]
    assert len(lines) == 6
    for line in lines:
        _parse(shlex.split(line, comments=True)[1:])


@pytest.mark.parametrize(
    "page", ["README.md", "CONTRIBUTING.md", *(f"docs/{p.name}" for p in ROOT.glob("docs/*.md"))]
)
def test_links_between_the_documents_lead_somewhere(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", text):
        if not target.startswith("http"):
            assert ((ROOT / page).parent / target).exists(), target


CODEC = (ROOT / "docs" / "codec.md").read_text(encoding="utf-8")


def numbers(text: str) -> list[float]:
    """The numbers in a text, with commas between thousands or without."""
    found = re.findall(r"\d{1,3}(?:,\d{3})+|\d+(?:\.\d+)?", text)
    return [float(number.replace(",", "")) for number in found]


def test_the_choices_of_the_codec_are_those_of_the_code() -> None:
    rows = [line.split("|") for line in CODEC.splitlines() if re.match(r"\|.*\|.*\| `", line)]
    assert len(rows) == 26
    for _, choice, said, names, *_ in rows:
        values: list[float] = []
        for name in re.findall(r"`([^`]+)`", names):
            value = resolve_name(f"nervid.{name}")
            values += value if isinstance(value, tuple) else [value]
        assert numbers(said) == values, choice


def test_the_networks_of_the_codec_are_those_that_are_fitted() -> None:
    rows = [line.split("|")[1:-1] for line in CODEC.splitlines() if re.match(r"\| \d+ of ", line)]
    assert len(rows) == 4
    for size, asked, *said in rows:
        frames, width, height = (int(number) for number in re.findall(r"\d+", size))
        budget = numbers(asked)[0]
        config = solve_nervid(frames=frames, height=height, width=width, budget_bytes=budget)
        assert [tuple(numbers(cell)) for cell in said] == [
            config.strides,
            config.channels,
            config.grid_channels,
            (stored_count(config),),
            (config.stored_embedding_count,),
            (round(macs_per_pixel(config) / 1000, 2),),
        ], size
        assert (config.grid_stages, config.grid_spans) == ((0, 1, 1, 2), (2, 8, 33, 33))
