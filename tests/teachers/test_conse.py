"""ConSE blends the vectors of likely labels, and ranks real pictures with its real weights."""

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import Tensor

from nervid.errors import InputError
from nervid.teachers import TeacherRecord, load_recorded, load_teacher
from nervid.teachers.conse import ConseTeacher, blend, label_names, open_conse
from nervid.teachers.efficientnet import EfficientNetLite, Stage
from nervid.teachers.library import load_model, load_tokenizer
from nervid.teachers.packages import PACKAGES
from nervid.teachers.sentences import SentenceEncoder

RECORD = TeacherRecord(name="tiny", revision="1", sha256="00" * 32, dimension=3)
AXES = {"red": [2.0, 0.0, 0.0], "green": [0.0, 2.0, 0.0], "blue": [0.0, 0.0, 2.0]}


class MeanColor(EfficientNetLite):
    """A classifier that knows three labels, the colors, by a frame's mean."""

    def __init__(self) -> None:
        super().__init__((Stage(1, 3, 1, 1, 8),), stem=8, head=8, labels=3)

    def forward(self, pixels: Tensor) -> Tensor:
        return pixels.mean(dim=(2, 3)) * 10


def encode(texts: Sequence[str]) -> Tensor:
    return torch.tensor([AXES[text] for text in texts])


def tiny() -> ConseTeacher:
    return ConseTeacher(
        record=RECORD, labels=list(AXES), classifier=MeanColor, encoder=lambda: encode, device="cpu"
    )


def test_a_blend_weighs_the_likeliest_labels_by_their_probabilities() -> None:
    logits = torch.tensor([[0.5, 0.25, 0.125, 0.125]]).log()
    vectors = torch.tensor([[1.0, 0.0], [0.0, 1.0], [9.0, 9.0], [9.0, 9.0]])
    assert torch.allclose(blend(logits, vectors, count=2), torch.tensor([[0.5, 0.25]]))


def test_a_picture_lies_at_the_text_of_its_label() -> None:
    colors = torch.zeros(3, 3, 40, 60, dtype=torch.uint8)
    for index in range(3):
        colors[index, index] = 255
    teacher = tiny()
    cosines = teacher.images(colors) @ teacher.text(["red", "green", "blue"]).T
    # softmax of (10, -10, -10) x 128/127: nothing is left for the other labels.
    assert torch.allclose(cosines, torch.eye(3), atol=1e-6)


def test_text_needs_no_classifier() -> None:
    def refuse() -> EfficientNetLite:
        raise AssertionError("the classifier was read")

    teacher = ConseTeacher(
        record=RECORD, labels=list(AXES), classifier=refuse, encoder=lambda: encode, device="cpu"
    )
    assert teacher.text(["blue"]).tolist() == [[0.0, 0.0, 1.0]]


def test_there_are_a_thousand_names_in_the_order_of_imagenet() -> None:
    names = label_names()
    assert len(names) == 1000
    assert (names[0], names[281], names[504], names[999]) == (
        "tench",
        "tabby cat",
        "coffee mug",
        "toilet paper",
    )
    assert all(name == name.strip() and name for name in names)


def test_sentences_are_the_mean_of_their_tokens_without_padding(
    bert_folder: Path, transformers: ModuleType
) -> None:
    encoder = SentenceEncoder(bert_folder, teacher="tiny", device="cpu")
    model = transformers.BertModel.from_pretrained(bert_folder).eval()
    with torch.no_grad():
        # [CLS] a cat [SEP], beside a longer text, which makes padding.
        alone = model(input_ids=torch.tensor([[2, 5, 6, 3]])).last_hidden_state.mean(dim=1)
        together = encoder(["a cat", "a cup a box a cat"])
    assert torch.allclose(together[:1], alone, atol=1e-5)


def test_a_sentence_beyond_256_tokens_is_cut_off(bert_folder: Path) -> None:
    encoder = SentenceEncoder(bert_folder, teacher="tiny", device="cpu")
    long, longer = encoder(["cat " * 254, "cat " * 300])
    assert torch.equal(long, longer)


def test_reading_a_model_says_nothing(bert_folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    load_tokenizer(bert_folder, teacher="tiny")
    load_model(bert_folder, "AutoModel", teacher="tiny", device="cpu")
    assert capfd.readouterr() == ("", "")


def test_missing_weights_name_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NERVID_CACHE", str(tmp_path))
    with pytest.raises(InputError) as caught:
        load_teacher("conse")
    assert str(caught.value) == (
        f"teacher conse: {tmp_path}/conse/efficientnet-lite2.pth is not there; fetch its weights (107 MB) "
        "with: python -m nervid.teachers.fetch"
    )


@pytest.mark.usefixtures("real_conse_folder")
def test_a_file_made_with_other_weights_finds_no_teacher() -> None:
    record = load_teacher("conse").record
    assert load_recorded(record).record == record
    with pytest.raises(InputError, match=rf"weights is {record.sha256}, wanted {'0' * 64}; its vectors mean"):
        load_recorded(replace(record, sha256="0" * 64))


def test_damaged_weights_name_the_command(tmp_path: Path) -> None:
    for package in PACKAGES:
        for file in package.files:
            (tmp_path / file.target).parent.mkdir(exist_ok=True)
            (tmp_path / file.target).write_bytes(b"damage")
    with pytest.raises(InputError, match=r"efficientnet-lite2.pth is not the published file; fetch it again"):
        open_conse(tmp_path)


def test_importing_teachers_leaves_transformers_alone() -> None:
    code = "import sys, nervid.teachers; print('transformers' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_the_real_record_says_which_weights_these_are(real_conse_folder: Path) -> None:
    record = open_conse(real_conse_folder).record
    assert (record.name, record.revision, record.dimension) == ("conse", "1", 384)
    assert record.sha256 == "b808accb2a9ac8204d721e8328fa08590af03f22ab89ffb2642778d9f06fa1a2"


def test_the_real_text_network_knows_what_goes_together(real_conse_folder: Path) -> None:
    teacher = open_conse(real_conse_folder)
    mug, cup, shark = teacher.text(["a mug of coffee", "a hand holding a cup", "a great white shark"])
    assert float(mug @ cup) > 0.5
    assert float(mug @ shark) < 0.2


@pytest.mark.parametrize(
    ("name", "wanted"), [("cup.mp4", "a hand holding a cup"), ("box.mp4", "a cardboard box")]
)
def test_real_frames_are_found_by_their_text(real_conse_folder: Path, name: str, wanted: str) -> None:
    clip = Path(__file__).parents[2] / "benchmarks" / "clips" / name
    if not clip.is_file():
        pytest.skip(f"needs {name}: make clips")
    import av

    with av.open(str(clip)) as container:
        picture = next(container.decode(video=0)).to_ndarray(format="rgb24")
    teacher = open_conse(real_conse_folder)
    queries = ["a hand holding a cup", "a cardboard box", "a rabbit in a meadow", "skyscrapers at night"]
    vector = teacher.images(torch.from_numpy(picture).permute(2, 0, 1)[None])[0]
    assert queries[int((teacher.text(queries) @ vector).argmax())] == wanted
