"""Frames and short clips of .nerv files as a torch dataset, for training other models on them."""

import operator
import os
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils import data

from nervid.decoder.decoder import Decoder
from nervid.decoder.half import PlayPrecision
from nervid.errors import InputError


class Dataset(data.Dataset[Any]):
    """Frames or short clips of one or several .nerv files, in any order; made for torch's ``DataLoader``.

    ``dataset[i]`` is uint8 in [0, 255]: one frame [3, height, width], or [frames_per_item, 3, height, width]
    when an item has several frames. Items never reach from one file into the next; they are numbered file by
    file, a file too short for an item has none. A frame has the bits that :func:`nervid.open` draws.

    A loader fetches a batch at once: the indices are sorted by file, so each network is loaded once a batch
    and a frame that several items share is drawn once. Files are opened in the process that draws from them,
    so that any number of workers, forked or spawned, may share one dataset. With workers on a CUDA device,
    torch asks for ``multiprocessing_context="spawn"``; ``persistent_workers=True`` keeps networks from
    being loaded again every epoch.

    Args:
        paths: One .nerv file or several.
        frames_per_item: Frames of an item, 1 or more.
        step: Frames from one frame of an item to its next, 1 or more: 2 takes every second frame.
        every: Frames from the start of one item to the start of the next, 1 or more. Items overlap unless
            this is at least ``frames_per_item * step``.
        transform: Called with each item's frames; what it returns is the item. The tensor is its own to
            change. None leaves the frames as they are.
        device: Where networks run: "cpu", "cuda", "cuda:1". Items are on the CPU in any case.
        precision: As for :class:`nervid.Decoder`.
        open_files: Files that a process keeps ready, 1 or more, with up to four networks each; the one used
            longest ago is closed first.

    Raises:
        InputError: If a file is missing, there is none, no file is long enough for an item, an argument is
            out of its range, a file needs an initialization that is not there, or frames differ in size from
            file to file and no transform is there that could give them one.
        FormatError: If a file is not .nerv, newer than this nervid, or damaged.

    Example:
        >>> dataset = Dataset(["a.nerv", "b.nerv"], frames_per_item=8, step=2)  # doctest: +SKIP
        >>> loader = data.DataLoader(dataset, batch_size=4, shuffle=True, num_workers=2)  # doctest: +SKIP
        >>> next(iter(loader)).shape  # doctest: +SKIP
        torch.Size([4, 8, 3, 180, 320])
    """

    def __init__(
        self,
        paths: str | Path | Sequence[str | Path],
        *,
        frames_per_item: int = 1,
        step: int = 1,
        every: int = 1,
        transform: Callable[[Tensor], Any] | None = None,
        device: str = "cpu",
        precision: PlayPrecision = "auto",
        open_files: int = 16,
    ) -> None:
        for name, number in (
            ("frames_per_item", frames_per_item),
            ("step", step),
            ("every", every),
            ("open_files", open_files),
        ):
            if number < 1:
                raise InputError(f"{name} must be at least 1, got {number}")
        given = [paths] if isinstance(paths, str | Path) else list(paths)
        if not given:
            raise InputError("a dataset needs at least one .nerv file, got none; check the pattern")
        # A worker that is spawned may start in another folder.
        self._paths = [Path(path).absolute() for path in given]
        self._frames_per_item, self._step, self._every = frames_per_item, step, every
        self._transform = transform
        self._device, self._precision = device, precision
        self._open_files = open_files
        self._decoders: OrderedDict[int, Decoder] = OrderedDict()
        self._process = os.getpid()
        self._ends = self._survey()

    def __len__(self) -> int:
        return int(self._ends[-1])

    def __getitem__(self, index: int) -> Any:  # noqa: ANN401 what the transform returns
        return self.__getitems__([index])[0]

    def __getitems__(self, indices: Sequence[int]) -> list[Any]:
        """Return several items, in the order asked for; a ``DataLoader`` calls this once a batch.

        Args:
            indices: Items, negative ones counted from the end.

        Raises:
            IndexError: If there is no such item.
            FormatError: If a section that is needed is damaged.
        """
        wanted: dict[int, list[tuple[int, range]]] = {}
        for position, index in enumerate(indices):
            file, frames = self._find(index)
            wanted.setdefault(file, []).append((position, frames))
        items: list[Any] = [None] * len(indices)
        # Files that are open come first, before others take their place.
        for file in sorted(wanted, key=lambda file: (file not in self._decoders, file)):
            order = sorted({frame for _, frames in wanted[file] for frame in frames})
            drawn = self._decoder(file)[order]
            place = {frame: number for number, frame in enumerate(order)}
            for position, frames in wanted[file]:
                item = _copy(drawn, [place[frame] for frame in frames])
                item = item if self._frames_per_item > 1 else item[0]
                items[position] = item if self._transform is None else self._transform(item)
        return items

    def locate(self, index: int) -> tuple[Path, range]:
        """Return an item's file and its frames there, for labels that are kept elsewhere.

        Raises:
            IndexError: If there is no such item.
        """
        file, frames = self._find(index)
        return self._paths[file], frames

    def __getstate__(self) -> dict[str, Any]:
        # What a spawned worker gets: no open files, no networks.
        return self.__dict__ | {"_decoders": OrderedDict()}

    def __repr__(self) -> str:
        what = "frames" if self._frames_per_item == 1 else f"clips of {self._frames_per_item} frames"
        return f"Dataset({len(self)} {what}, {len(self._paths)} files)"

    def _survey(self) -> np.ndarray:
        """Open every file once: the number of items up to and with each file, int64 [files]."""
        lengths, sizes = [], []
        for path in self._paths:
            with Decoder(path, device=self._device, precision=self._precision) as decoder:
                lengths.append(len(decoder))
                sizes.append((decoder.info.width, decoder.info.height))
        if self._transform is None:
            self._check_sizes(sizes)
        span = (self._frames_per_item - 1) * self._step + 1
        ends = np.cumsum([max(0, (length - span) // self._every + 1) for length in lengths])
        if not ends[-1]:
            longest = int(np.argmax(lengths))
            raise InputError(
                f"an item of {self._frames_per_item} frames, step {self._step}, spans {span} frames; "
                f"the longest file, {self._paths[longest]}, has {lengths[longest]}"
            )
        return ends

    def _check_sizes(self, sizes: Iterable[tuple[int, int]]) -> None:
        """Refuse frames that a loader could not stack."""
        first: tuple[int, int] | None = None
        for path, size in zip(self._paths, sizes, strict=True):
            first = first or size
            if size != first:
                raise InputError(
                    f"frames of one size are wanted, got {first[0]}x{first[1]} in {self._paths[0]} and "
                    f"{size[0]}x{size[1]} in {path}; give a transform that resizes, or make two datasets"
                )

    def _find(self, index: int) -> tuple[int, range]:
        """Return the number of an item's file and its frames there."""
        number = operator.index(index)
        if not -len(self) <= number < len(self):
            # IndexError, not InputError: Python's own loops over sequences rely on it.
            raise IndexError(f"item {number} of a dataset with {len(self)} items (0 to {len(self) - 1})")
        number %= len(self)
        file = int(np.searchsorted(self._ends, number, side="right"))
        before = int(self._ends[file - 1]) if file else 0
        first = (number - before) * self._every
        return file, range(first, first + self._frames_per_item * self._step, self._step)

    def _decoder(self, file: int) -> Decoder:
        """Return the decoder of a file, opened by this process."""
        if self._process != os.getpid():
            # A forked worker's copies: descriptors and device memory are still the parent's.
            self._decoders, self._process = OrderedDict(), os.getpid()
        if file not in self._decoders:
            while len(self._decoders) >= self._open_files:
                self._decoders.popitem(last=False)[1].close()
            self._decoders[file] = Decoder(self._paths[file], device=self._device, precision=self._precision)
        self._decoders.move_to_end(file)
        return self._decoders[file]


def _copy(frames: Tensor, numbers: Sequence[int]) -> Tensor:
    """Copy some frames, so that an item shares memory with no other; uint8 [frames, 3, height, width]."""
    # Channels lie innermost, and stay there.
    copies = torch.empty_strided((len(numbers), *frames.shape[1:]), frames.stride(), dtype=frames.dtype)
    for copy, number in zip(copies, numbers, strict=True):
        copy.copy_(frames[number])
    return copies
