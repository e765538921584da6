"""Files that hold changes from learned weights alone."""

import hashlib
import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import nervid
from nervid.container import EMBD, MODL, WGHT
from nervid.decoder.network import load_network
from nervid.errors import InputError
from nervid.initializations import Initialization, base_for
from tests.encoder.learned import FAMILIES, header_of


@pytest.mark.parametrize("family", FAMILIES)
def test_changes_are_stored_and_kept_to_the_size(
    tiny_clip: nervid.Clip, files: dict[str, Path], family: str
) -> None:
    encoded = nervid.encode(
        tiny_clip, size="6kB", epochs=1, model=family, init=str(files[family]), delta=True
    )
    assert 0.97 * 6000 <= len(encoded.data) <= 6000
    reference = header_of(encoded).initialization
    assert reference is not None
    assert (reference.name, reference.sha256) == (
        family,
        hashlib.sha256(files[family].read_bytes()).hexdigest(),
    )
    original = torch.from_numpy(tiny_clip.load()).permute(0, 3, 1, 2)
    measured = float(nervid.psnr(original, nervid.open(io.BytesIO(encoded.data))[:]).mean())
    assert encoded.report.psnr_db == pytest.approx(measured, abs=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_changes_are_decoded_by_another_process(
    tiny_clip: nervid.Clip, files: dict[str, Path], family: str, tmp_path: Path
) -> None:
    encoded = nervid.encode(
        tiny_clip, size="6kB", epochs=1, model=family, init=str(files[family]), delta=True
    )
    encoded.save(tmp_path / "a.nerv")
    code = "import sys, numpy, nervid; numpy.save(sys.argv[2], nervid.open(sys.argv[1])[:].numpy())"
    words = [sys.executable, "-c", code, str(tmp_path / "a.nerv"), str(tmp_path / "a.npy")]
    subprocess.run(words, check=True, capture_output=True)
    here = nervid.open(io.BytesIO(encoded.data))[:]
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), here.numpy())


def test_pruned_changes_leave_the_learned_weights(
    tiny_clip: nervid.Clip, files: dict[str, Path], learned: dict[str, Initialization]
) -> None:
    start = learned["nerv"]
    encoded = nervid.encode(
        tiny_clip, size="6kB", epochs=1, model="nerv", init=str(files["nerv"]), delta=True, sparsity=0.75
    )
    with nervid.NervFile.open(io.BytesIO(encoded.data)) as file:
        network = load_network(file.read(MODL, 0), file.read(WGHT, 0), None, frames=8, initialization=start)
    base = base_for(start, network.config)
    kernels = {name: weight for name, weight in network.named_weights() if weight.dim() > 1}
    unchanged = sum(int((weight == base[name]).sum()) for name, weight in kernels.items())
    assert unchanged >= 0.75 * sum(weight.numel() for weight in kernels.values()) - 1


def test_a_file_of_changes_says_what_it_needs_where_that_is_missing(
    tiny_clip: nervid.Clip, files: dict[str, Path], tmp_path: Path
) -> None:
    encoded = nervid.encode(
        tiny_clip, model="hnerv", size="6kB", epochs=1, init=str(files["hnerv"]), delta=True
    )
    path = encoded.save(tmp_path / "a.nerv")
    sha256 = hashlib.sha256(files["hnerv"].read_bytes()).hexdigest()
    files["hnerv"].unlink()
    for open_file in (nervid.open, nervid.Dataset):
        with pytest.raises(InputError) as caught:
            open_file(path)
        assert str(caught.value) == (
            f"the file needs the initialization hnerv with SHA-256 {sha256}, which is not here; put its "
            f".safetensors file into {tmp_path}/cache/initializations, or name its path in "
            "NERVID_INITIALIZATIONS"
        )


def test_another_network_than_the_initializations_is_damage(
    tiny_clip: nervid.Clip, learned: dict[str, Initialization], files: dict[str, Path]
) -> None:
    plain = nervid.encode(tiny_clip, model="hnerv", size="6kB", epochs=1)
    with nervid.NervFile.open(io.BytesIO(plain.data)) as file:
        payloads = file.read(MODL, 0), file.read(WGHT, 0), file.read(EMBD, 0)
    with pytest.raises(
        nervid.FormatError, match="section MODL: the initialization has model nerv, wanted hn"
    ):
        load_network(*payloads, frames=8, initialization=learned["nerv"])


def test_a_quality_can_be_asked_for(tiny_clip: nervid.Clip, files: dict[str, Path]) -> None:
    encoded = nervid.encode(
        tiny_clip, model="hnerv", psnr=10.0, epochs=1, init=str(files["hnerv"]), delta=True
    )
    assert encoded.report.psnr_db >= 10.0
    assert header_of(encoded).initialization is not None
