import pytest

from nervid.encoder.devices import find_devices
from nervid.errors import InputError


def have_cuda(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: count > 0)
    monkeypatch.setattr("torch.cuda.device_count", lambda: count)


@pytest.mark.parametrize(
    ("name", "devices"),
    [
        ("auto", ("cuda:0", "cuda:1", "cuda:2")),
        ("cuda", ("cuda:0", "cuda:1", "cuda:2")),
        ("cuda:1", ("cuda:1",)),
        ("cuda:2, cuda:0", ("cuda:2", "cuda:0")),
        ("cuda:1,cuda:1", ("cuda:1", "cuda:1")),
        ("cpu", ("cpu",)),
    ],
)
def test_names_stand_for_devices(
    name: str, devices: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    have_cuda(monkeypatch, 3)
    assert find_devices(name) == devices


def test_without_cuda_auto_is_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    have_cuda(monkeypatch, 0)
    assert find_devices("auto") == ("cpu",)
    assert find_devices("cpu,cpu") == ("cpu", "cpu")


@pytest.mark.parametrize(
    ("name", "count", "message"),
    [
        ("abacus", 1, "device must be auto, cpu, cuda"),
        ("", 1, "device must be"),
        ("cuda:", 1, "device must be"),
        ("cuda:x", 1, "device must be"),
        ("cuda:0,,cuda:0", 1, "device must be"),
        ("cuda", 0, "no CUDA device is there"),
        ("cuda:0", 0, "no CUDA device is there"),
        ("cuda:3", 3, "there are cuda:0 to cuda:2"),
        ("cpu,cuda:0", 1, "devices must be of one kind"),
    ],
)
def test_other_names_are_refused(
    name: str, count: int, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    have_cuda(monkeypatch, count)
    with pytest.raises(InputError, match=message):
        find_devices(name)
