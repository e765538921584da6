"""Time per item of nervid.Dataset and of H.264 readers at sparse random access.

python -m benchmarks.loader                  # both clips, about ten minutes, most of them encoding
python -m benchmarks.loader --clips bunny    # one clip; prints, and records nothing
python -m benchmarks.loader --folder FOLDER  # keeps the files there and takes those that are there already

Every reader delivers the same frames: one RGB frame, or 8 consecutive ones, uint8 on the CPU. H.264 is read
with PyAV, which seeks to the keyframe before the first frame and decodes from there, and with torchcodec
where it can be imported. Files stay open between items; opening them has a column of its own. Fetch the
larger clip first: ``make clips CLIPS=bbb``. Writes benchmarks/results/loader.json.
"""

import argparse
import importlib
import json
import statistics
import tempfile
import time
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch
from torch import Tensor

import nervid
from benchmarks.bars import ROOT, commit, hardware

COMMAND = "python -m benchmarks.loader"
RESULTS = ROOT / "benchmarks" / "results" / "loader.json"
GOPS = (250, 12)
"""Frames from keyframe to keyframe: libx264's default, and a file made for seeking."""
CRF = 23
"""libx264's default."""
SEED = 0
OPENINGS = 3
NOTE = (
    "The .nerv files are fitted for few epochs: the time of a frame depends on the network's size, which the "
    "rate sets, not on its quality. Times are medians over all items of all rounds."
)

Reader = Callable[[range], Tensor]
"""Frames of a range, uint8 [frames, 3, height, width]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A clip to be read."""

    name: str
    path: Path
    bpp: float
    epochs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """What is asked for at random places."""

    name: str
    frames: int
    count: int


SOURCES = {
    "bunny": Source(name="bunny 320x180", path=nervid.demo_clip(), bpp=0.27, epochs=5),
    "bbb": Source(name="bbb 1280x720", path=ROOT / "benchmarks" / "clips" / "bbb.mp4", bpp=0.1, epochs=1),
}
ITEMS = (Item(name="1 frame", frames=1, count=32), Item(name="8 frames", frames=8, count=8))


class PyAvReader:
    """Reads an H.264 file as its documentation says: seek, then decode up to the frame's timestamp."""

    def __init__(self, path: Path, threading: str) -> None:
        self._container = av.open(str(path))
        self._stream = self._container.streams.video[0]
        self._stream.thread_type = threading
        # The index that a loader keeps: presentation times in order, and of keyframes both times.
        self._times: list[int] = []
        self._keyframes: list[tuple[int, int]] = []
        for packet in self._container.demux(self._stream):
            if packet.pts is not None and packet.dts is not None:
                self._times.append(packet.pts)
                if packet.is_keyframe:
                    self._keyframes.append((packet.pts, packet.dts))
        self._times.sort()

    def __call__(self, frames: range) -> Tensor:
        """Return the frames of a range, uint8 [frames, 3, height, width]."""
        first = self._times[frames.start]
        # mp4 is searched by decoding time: with the frame's own, a keyframe shown after it could be found.
        _, decoding_time = max(times for times in self._keyframes if times[0] <= first)
        self._container.seek(decoding_time, stream=self._stream)
        found: list[np.ndarray] = []
        for picture in self._container.decode(self._stream):
            if picture.pts is not None and picture.pts >= first:
                assert bisect_left(self._times, picture.pts) == frames.start + len(found)
                found.append(picture.to_ndarray(format="rgb24"))
                if len(found) == len(frames):
                    break
        return torch.from_numpy(np.stack(found)).permute(0, 3, 1, 2)


def nervid_reader(path: Path, frames: int, precision: Any) -> Reader:  # noqa: ANN401 a Literal of its own
    """Read a .nerv file; item i begins at frame i."""
    dataset = nervid.Dataset(path, frames_per_item=frames, precision=precision)

    def read(wanted: range) -> Tensor:
        item: Tensor = dataset[wanted.start]
        return item if frames > 1 else item[None]

    return read


def torchcodec_reader(path: Path) -> Reader:
    """Read an H.264 file with torchcodec.

    Raises:
        ImportError: If torchcodec or the FFmpeg that it needs is not there.
    """
    try:
        decoder = importlib.import_module("torchcodec.decoders").VideoDecoder(str(path), seek_mode="exact")
    except (RuntimeError, OSError) as error:
        raise ImportError(str(error)) from error
    return lambda wanted: decoder.get_frames_in_range(wanted.start, wanted.stop).data


def write_h264(clip: nervid.Clip, path: Path, gop: int) -> None:
    """Encode with libx264's defaults but for the distance of keyframes."""
    info = clip.info
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=info.frame_rate)
        stream.width, stream.height, stream.pix_fmt = info.width, info.height, "yuv420p"
        stream.options = {"crf": str(CRF), "g": str(gop)}
        stream.time_base = stream.codec_context.time_base = Fraction(1, info.time_base.denominator)
        for frame, timestamp in zip(clip.iter_frames(), clip.timestamps, strict=True):
            picture = av.VideoFrame.from_ndarray(frame, format="rgb24")
            picture.pts = int(timestamp) * info.time_base.numerator
            picture.time_base = stream.time_base
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))


def prepare(source: Source, folder: Path) -> dict[str, Path]:
    """Make the files of a clip that are not there yet; by the reader's name."""
    clip = nervid.read(source.path, tracks=False)
    stem = source.name.replace(" ", "-")
    files = {
        "nervid": folder / f"{stem}.nerv",
        **{f"GOP {gop}": folder / f"{stem}-{gop}.mp4" for gop in GOPS},
    }
    if not files["nervid"].exists():
        nervid.encode(clip, model="hnerv", bpp=source.bpp, epochs=source.epochs).save(files["nervid"])
    for gop in GOPS:
        if not files[f"GOP {gop}"].exists():
            write_h264(clip, files[f"GOP {gop}"], gop)
    return files


def readers_of(files: dict[str, Path], frames: int) -> tuple[dict[str, Callable[[], Reader]], str | None]:
    """Return how to open each reader, and why torchcodec is not among them."""
    openers: dict[str, Callable[[], Reader]] = {
        "nervid": partial(nervid_reader, files["nervid"], frames, "auto"),
        "nervid, bfloat16": partial(nervid_reader, files["nervid"], frames, "bfloat16"),
    }
    skipped = None
    for gop in GOPS:
        path = files[f"GOP {gop}"]
        for threading in ("SLICE", "AUTO"):
            openers[f"PyAV {threading}, GOP {gop}"] = partial(PyAvReader, path, threading)
        try:
            torchcodec_reader(path)
            openers[f"torchcodec, GOP {gop}"] = partial(torchcodec_reader, path)
        except ImportError as error:
            skipped = f"torchcodec is left out: {str(error).strip().splitlines()[0]}"
    return openers, skipped


def check(reader: Reader, path: Path, starts: Sequence[int], frames: int) -> None:
    """Make sure that a reader delivers the frames that reading the file from its beginning gives."""
    if path.suffix == ".nerv":
        return  # the tests of nervid.Dataset do that
    with av.open(str(path)) as container:
        whole = [picture.to_ndarray(format="rgb24") for picture in container.decode(video=0)]
    for start in starts:
        expected = torch.from_numpy(np.stack(whole[start : start + frames])).permute(0, 3, 1, 2)
        difference = (reader(range(start, start + frames)).int() - expected.int()).abs()
        # torchcodec converts colors on its own; another frame would differ by far more.
        assert float(difference.float().mean()) < 1, f"{path}: frame {start} is not the one asked for"


def measure(
    source: Source, item: Item, files: dict[str, Path], rounds: int
) -> tuple[list[dict[str, Any]], str | None]:
    """Time all readers at the same random places, in turns."""
    with nervid.open(files["nervid"]) as video:
        length = len(video)
    starts = np.random.default_rng(SEED).integers(0, length - item.frames + 1, item.count).tolist()
    openers, skipped = readers_of(files, item.frames)
    opening: dict[str, list[float]] = {name: [] for name in openers}
    seconds: dict[str, list[float]] = {name: [] for name in openers}
    readers: dict[str, Reader] = {}
    for name, opener in openers.items():
        for start in starts[:OPENINGS]:
            began = time.perf_counter()
            readers[name] = opener()
            readers[name](range(start, start + item.frames))
            opening[name].append(time.perf_counter() - began)
        check(
            readers[name],
            files[name.rpartition(", ")[2] if "GOP" in name else "nervid"],
            starts[:4],
            item.frames,
        )
    for _ in range(rounds):
        for name, reader in readers.items():
            for start in starts:
                began = time.perf_counter()
                reader(range(start, start + item.frames))
                seconds[name].append(time.perf_counter() - began)
    median = {name: statistics.median(times) for name, times in seconds.items()}
    rows = [
        {
            "clip": source.name,
            "item": item.name,
            "reader": name,
            "seconds_per_item": round(median[name], 6),
            "mean_seconds_per_item": round(statistics.mean(seconds[name]), 6),
            "seconds_to_open_and_read_one": round(statistics.median(opening[name]), 6),
            "times_as_fast_as_nervid": round(median["nervid"] / median[name], 3),
        }
        for name in openers
    ]
    return rows, skipped


def main() -> None:
    """Measure the clips and print a table."""
    parser = argparse.ArgumentParser(description="Time random access to frames.")
    parser.add_argument("--clips", nargs="+", choices=SOURCES, default=list(SOURCES))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []
    sizes: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        for source in (SOURCES[name] for name in options.clips):
            files = prepare(source, folder)
            sizes += [
                {"clip": source.name, "file": name, "bytes": path.stat().st_size}
                | ({"epochs": source.epochs} if name == "nervid" else {"epochs": None})
                for name, path in files.items()
            ]
            for item in ITEMS:
                measured, skipped = measure(source, item, files, options.rounds)
                rows += measured
                for row in measured:
                    print(
                        f"{row['clip']:15}{row['item']:10}{row['reader']:22}"
                        f"{1e3 * row['seconds_per_item']:9.2f} ms  "
                        f"open and read one {1e3 * row['seconds_to_open_and_read_one']:8.2f} ms",
                        flush=True,
                    )
    if skipped:
        print(skipped)
    if set(options.clips) != set(SOURCES):
        return
    facts = {
        "command": COMMAND,
        "commit": commit(),
        "hardware": asdict(hardware()),
        "note": NOTE if skipped is None else f"{NOTE} {skipped}.",
        "rounds": options.rounds,
        "rows": rows,
        "files": sizes,
    }
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
