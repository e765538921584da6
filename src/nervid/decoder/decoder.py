"""Plays a .nerv file: any frame, in any order, without decoding the others."""

import operator
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, get_args

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from nervid.container import EMBD, MODL, TRAK, WGHT, BinaryFile, ByteSource, NervFile, read_timestamps
from nervid.decoder.half import PlayPrecision, first_half_block, run_in_half
from nervid.decoder.metadata import VideoMetadata
from nervid.decoder.network import draw_embedding, draw_frame, half_from, load_network
from nervid.errors import InputError
from nervid.hardware import reuse_freed_memory
from nervid.initializations.library import find_by_sha256
from nervid.models.representation import Representation
from nervid.video import Color, Track, VideoInfo

CACHED_NETWORKS = 4
"""Networks kept ready; the one used longest ago goes first."""
LARGEST_SIDE = 8192
"""Pixels of the longest side that a frame is drawn at."""


class Decoder:
    """Frames of a .nerv file, indexed like a sequence.

    ``decoder[10]`` is one frame, uint8 [3, height, width] in [0, 255]; ``decoder[10:20]``, ``decoder[::-1]``
    and ``decoder[[0, 50, 131]]`` are [frames, 3, height, width]. A frame costs one pass through its
    segment's network and comes out with the same bits on the same machine, however it is asked for; across
    devices values differ by at most 1, or as little as ``precision`` says.

    Args:
        source: A path, an open binary file, or anything that reads byte ranges.
        device: Where networks run: "cpu", "cuda", "cuda:1".
        precision: Type of the convolutions. "auto" runs those blocks in bfloat16 that the encoder measured
            to move hardly a byte by more than 1 and none by more than 2 (docs/conventions.md), where the
            hardware multiplies bfloat16 natively; "bfloat16" runs all of them so, faster, bytes moving by a
            few at worst; "float32" none.

    Memory that a frame's activations took is kept for the next frame instead of being returned to the system
    (``nervid.hardware.reuse_freed_memory``).

    Raises:
        FormatError: If the file is not .nerv, newer than this nervid, or damaged.
        InputError: If the file does not exist, the device is not there, or the file's weights are changes
            from an initialization that is not there; says where to put it.
    """

    def __init__(
        self,
        source: str | Path | BinaryFile | ByteSource,
        *,
        device: str = "cpu",
        precision: PlayPrecision = "auto",
    ) -> None:
        if precision not in get_args(PlayPrecision):
            raise InputError(f"precision must be auto, float32 or bfloat16, got {precision!r}")
        if device.startswith("cuda") and not torch.cuda.is_available():
            raise InputError(f"device {device} was asked for, but no CUDA device is there; use cpu")
        self._file = NervFile.open(source)
        try:
            reference = self._file.header.initialization
            self._initialization = (
                None if reference is None else find_by_sha256(reference.sha256, name=reference.name)
            )
        except InputError:
            self._file.close()
            raise
        self._device, self._precision = device, precision
        reuse_freed_memory()
        self._starts = np.concatenate([[0], np.cumsum(self._file.header.segments)])
        self._networks: OrderedDict[int, Representation[Any]] = OrderedDict()
        self._timestamps: np.ndarray | None = None

    def __len__(self) -> int:
        return self._file.header.frames

    def __getitem__(
        self, index: int | slice | Sequence[int] | np.ndarray | Tensor
    ) -> UInt8[Tensor, "*frames 3 height width"]:
        if isinstance(index, slice):
            return self._stack(range(len(self))[index])
        if isinstance(index, (list, tuple, range, np.ndarray, Tensor)) and np.ndim(index) == 1:
            return self._stack([self._checked(operator.index(i)) for i in index])
        return self._draw(self._checked(operator.index(index)))  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[UInt8[Tensor, "3 height width"]]:
        return (self._draw(index) for index in range(len(self)))

    def batches(self, size: int) -> Iterator[UInt8[Tensor, "frames 3 height width"]]:
        """Yield all frames in order, ``size`` at a time; the last batch may be smaller."""
        if size < 1:
            raise InputError(f"batch size must be at least 1, got {size}")
        for first in range(0, len(self), size):
            yield self._stack(range(first, min(first + size, len(self))))

    def frame_at(
        self, seconds: float, size: tuple[int, int] | None = None
    ) -> UInt8[Tensor, "3 height width"]:
        """Return the frame on screen at a time.

        Args:
            seconds: Time on the file's own clock, from the first frame's time to the end of the last.
            size: Height and width to draw it at, each 1 to 8192 pixels; None for the video's own. A
                pixel-wise Latent-INR draws every pixel there is at that size; other networks draw their own
                size, which is resampled (Lanczos) before colors are rounded. A nervid network draws half or a
                quarter of its size, for less, where that has enough rows and columns (docs/conventions.md).

        Raises:
            InputError: If no frame is on screen then, or ``size`` is out of range.
        """
        _check_size(size)
        first, end = self.seconds_of(0), self._end_seconds()
        if not first <= seconds < end:
            raise InputError(f"no frame at {seconds} s: this file plays from {first:g} s to {end:g} s")
        # Half a tick of tolerance, so that a frame's own rounded time finds that frame.
        ticks = seconds / float(self.info.time_base) + 0.5
        return self._draw(int(np.searchsorted(self.timestamps, ticks, side="right")) - 1, size)

    def mix(
        self, first: int, second: int, share: float, size: tuple[int, int] | None = None
    ) -> UInt8[Tensor, "3 height width"]:
        """Return a picture between two frames of one segment: their embeddings, mixed linearly, drawn.

        Args:
            first: A frame.
            second: Another one.
            share: How much of ``second``, from 0 (``first`` itself) to 1.
            size: Height and width, as for :meth:`frame_at`.

        Raises:
            InputError: If the frames lie in different segments, the representation stores no embeddings,
                ``share`` is outside 0 to 1, or ``size`` is out of range.

        Source:
            Latent-INR (Maiya et al., ECCV 2024, arXiv:2408.02672), interpolation.
        """
        _check_size(size)
        places = [self._checked(operator.index(index)) for index in (first, second)]
        segments = [int(np.searchsorted(self._starts, place, side="right")) - 1 for place in places]
        if segments[0] != segments[1]:
            raise InputError(
                f"frames {first} and {second} lie in segments {segments[0]} and {segments[1]}, which share "
                "no network; mix frames of one segment"
            )
        if not 0 <= share <= 1:
            raise InputError(f"share must be 0 to 1, got {share:g}")
        network = self._network(segments[0])
        if not network.config.stores_embeddings:
            raise InputError(
                f"{network.config.name} computes its embeddings from the time; mixing needs stored ones: "
                "encode with the model hnerv or latent-inr"
            )
        indices = torch.tensor(places, device=self._device) - int(self._starts[segments[0]])
        with torch.inference_mode():
            embeddings = network.embed_together(indices)
            return draw_embedding(network, torch.lerp(embeddings[:1], embeddings[1:], share), size).cpu()

    def seconds_of(self, index: int) -> float:
        """Return the time at which frame ``index`` appears, in seconds."""
        return float(int(self.timestamps[self._checked(index)]) * self.info.time_base)

    @property
    def timestamps(self) -> np.ndarray:
        """Time of each frame, int64 [frames], in ticks of ``info.time_base``."""
        if self._timestamps is None:
            self._timestamps = read_timestamps(self._file)
        return self._timestamps

    @property
    def info(self) -> VideoInfo:
        """Size, clock, color and container metadata, as a video writer needs them."""
        header = self._file.header
        return VideoInfo(
            width=header.width,
            height=header.height,
            time_base=Fraction(*header.time_base),
            frame_rate=Fraction(*header.frame_rate),
            color=Color(
                primaries=header.color_primaries,
                transfer=header.color_transfer,
                matrix=header.color_matrix,
                range=header.color_range,
            ),
            pixel_aspect=Fraction(*header.pixel_aspect),
            rotation=header.rotation,
            bit_depth=header.bit_depth,
            metadata=header.metadata,
        )

    @property
    def metadata(self) -> VideoMetadata:
        """Facts about the video; printing it is readable."""
        header = self._file.header
        return VideoMetadata(
            width=header.width,
            height=header.height,
            frames=header.frames,
            frame_rate=Fraction(*header.frame_rate),
            duration_seconds=self._end_seconds() - self.seconds_of(0),
            size_bytes=self._file.size_bytes,
            bits_per_pixel=8 * self._file.size_bytes / (header.frames * header.height * header.width),
            segments=len(header.segments),
            pixel_aspect=Fraction(*header.pixel_aspect),
            rotation=header.rotation,
            tracks=tuple(f"{track.kind} {track.codec}" for track in header.tracks),
            track_bytes=sum(entry.length for entry in self._file.entries if entry.tag == TRAK),
            tags=header.metadata,
        )

    @property
    def tracks(self) -> tuple[Track, ...]:
        """The copied sound and subtitle tracks, packets and all."""
        return tuple(
            Track.from_bytes(self._file.read(TRAK, number)) for number in range(len(self._file.header.tracks))
        )

    @property
    def bytes_read(self) -> int:
        """Bytes read from the source so far: the head, and the sections of the segments that were drawn."""
        return self._file.bytes_read

    def close(self) -> None:
        """Close the file; drawing frames afterwards fails."""
        self._file.close()
        self._networks.clear()

    def __enter__(self) -> "Decoder":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Decoder({self.metadata})"

    def _stack(self, indices: Sequence[int]) -> Tensor:
        header = self._file.header
        frames = torch.empty((len(indices), header.height, header.width, 3), dtype=torch.uint8)
        frames = frames.permute(0, 3, 1, 2)
        for position, index in enumerate(indices):
            frames[position] = self._draw(index)
        return frames

    def _draw(self, index: int, size: tuple[int, int] | None = None) -> Tensor:
        segment = int(np.searchsorted(self._starts, index, side="right")) - 1
        return draw_frame(self._network(segment), index - int(self._starts[segment]), size).cpu()

    def _network(self, segment: int) -> Representation[Any]:
        if segment not in self._networks:
            modl = self._file.read(MODL, segment)
            network = load_network(
                modl,
                self._file.read(WGHT, segment),
                self._file.read(EMBD, segment) if self._file.has(EMBD, segment) else None,
                frames=self._file.header.segments[segment],
                initialization=self._initialization,
                is_gradual=True,
            ).to(self._device)
            first = first_half_block(self._precision, half_from(modl), torch.device(self._device))
            self._networks[segment] = run_in_half(network, first)
            while len(self._networks) > CACHED_NETWORKS:
                self._networks.popitem(last=False)
        self._networks.move_to_end(segment)
        return self._networks[segment]

    def _checked(self, index: int) -> int:
        if not -len(self) <= index < len(self):
            # IndexError, not InputError: Python's own loops and unpacking over sequences rely on it.
            raise IndexError(f"frame {index} of a file with {len(self)} frames (0 to {len(self) - 1})")
        return index % len(self)

    def _end_seconds(self) -> float:
        last = self.seconds_of(len(self) - 1)
        return last + float(1 / Fraction(*self._file.header.frame_rate))


def _check_size(size: tuple[int, int] | None) -> None:
    if size is not None and (len(size) != 2 or not all(1 <= side <= LARGEST_SIDE for side in size)):
        raise InputError(f"size must be a height and a width of 1 to {LARGEST_SIDE} pixels, got {size}")


def open(
    source: str | Path | BinaryFile | ByteSource, *, device: str = "cpu", precision: PlayPrecision = "auto"
) -> Decoder:
    """Open a .nerv file for playing; see :class:`Decoder`."""
    return Decoder(source, device=device, precision=precision)
