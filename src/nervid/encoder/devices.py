"""Where segments are fitted: the devices that a name stands for."""

import re

import torch

from nervid.errors import InputError


def find_devices(name: str) -> tuple[str, ...]:
    """Return the devices that ``name`` stands for, each to fit one segment at a time.

    Args:
        name: "cpu", "cuda:1", "cuda" for every CUDA device, "auto" for the same or, without one, the CPU; or
            several of these with commas between, all of one kind. A device named twice fits two at a time.

    Returns:
        At least one name that torch understands: "cpu", "cuda:0".

    Raises:
        InputError: If it is none of these, names a device that is not there, or mixes kinds: the bytes of a
            segment would depend on the device that happened to be free.
    """
    devices = [device for word in name.split(",") for device in _named(word.strip(), name)]
    if len({torch.device(device).type for device in devices}) > 1:
        raise InputError(f"devices must be of one kind, got {name!r}; name CUDA devices alone or only cpu")
    return tuple(devices)


def _named(word: str, name: str) -> list[str]:
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if word == "cpu" or (word == "auto" and not count):
        return ["cpu"]
    number = re.fullmatch(r"cuda:(\d+)", word)
    if word not in ("auto", "cuda") and number is None:
        raise InputError(f"device must be auto, cpu, cuda or such as cuda:0,cuda:1, got {name!r}")
    if not count:
        raise InputError(f"device {word} was asked for, but no CUDA device is there; use cpu or auto")
    if number is None:
        return [f"cuda:{index}" for index in range(count)]
    if int(number[1]) >= count:
        raise InputError(f"device {word} was asked for, but there are cuda:0 to cuda:{count - 1}; name one")
    return [word]
