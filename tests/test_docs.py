"""What the README shows works: its Python runs, its commands parse, its links lead somewhere."""

import re
import shlex
from pathlib import Path

import av
import numpy as np
import pytest

from nervid.cli.main import _parse
from nervid.fit.recipe import RATE_DISTORTION_PRESETS, Effort

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
