"""``nervid info``: what a .nerv file holds, read from its head alone, without torch."""

import json
from dataclasses import asdict, dataclass
from typing import Annotated

import tyro

from nervid.cli.screen import bytes_text, print_facts, print_json
from nervid.container import MODL, Header, NervFile


@dataclass(frozen=True, slots=True, kw_only=True)
class Info:
    """Show what a .nerv file holds: size, rate, video facts, sections."""

    source: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="SOURCE")]
    """The .nerv file."""
    verify: bool = False
    """Read the whole file and check every section's checksum."""
    json: bool = False
    """Print the facts as JSON."""

    def run(self) -> int:
        """Print the facts, and return the exit code."""
        with NervFile.open(self.source) as file:
            if self.verify:
                file.verify()
            facts = _facts(file, verified=self.verify)
        if self.json:
            print_json(asdict(facts))
        else:
            print_facts(self.source, facts.readable())
        return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFacts:
    """What ``nervid info`` prints; the names are the JSON's keys."""

    size_bytes: int
    bits_per_pixel: float
    width: int
    height: int
    frames: int
    frame_rate: tuple[int, int]
    variable_frame_rate: bool
    duration_seconds: float
    color_primaries: int
    color_transfer: int
    color_matrix: int
    color_range: int
    pixel_aspect: tuple[int, int]
    rotation: int
    segments: tuple[int, ...]
    models: tuple[str, ...]
    tracks: tuple[str, ...]
    metadata: dict[str, str]
    section_bytes: dict[str, int]
    provenance: dict[str, object]
    initialization: dict[str, str] | None
    verified: bool

    def readable(self) -> list[tuple[str, str]]:
        """Return names and values for people."""
        rate = self.frame_rate[0] / self.frame_rate[1]
        color = self.color_primaries, self.color_transfer, self.color_matrix, self.color_range
        shortest, longest = min(self.segments), max(self.segments)
        lengths = f"{shortest}" if shortest == longest else f"{shortest} to {longest}"
        rows = [
            ("size", f"{bytes_text(self.size_bytes)} ({self.size_bytes} bytes)"),
            ("rate", f"{self.bits_per_pixel:.4f} bpp"),
            ("frames", f"{self.frames} of {self.width}x{self.height}"),
            ("frame rate", f"{rate:g} per second" + (", variable" if self.variable_frame_rate else "")),
            ("duration", f"{self.duration_seconds:.2f} s"),
            ("color", "primaries {}, transfer {}, matrix {}, range {} (ITU-T H.273)".format(*color)),
            ("pixel aspect", "{}:{}".format(*self.pixel_aspect)),
            ("rotation", f"{self.rotation} degrees"),
            ("segments", f"{len(self.segments)} of {lengths} frames, {', '.join(self.models)}"),
            ("tracks", ", ".join(self.tracks) or "none"),
            ("sections", ", ".join(f"{tag} {bytes_text(size)}" for tag, size in self.section_bytes.items())),
        ]
        if self.initialization is not None:
            rows.append(("initialization", f"{self.initialization['name']}, needed for decoding"))
            rows.append(("its SHA-256", self.initialization["sha256"]))
        rows += self.metadata.items()
        if self.verified:
            rows.append(("checksums", "all sections are intact"))
        return rows


def _facts(file: NervFile, *, verified: bool) -> FileFacts:
    header = file.header
    sizes = {"head": file.size_bytes - sum(entry.length for entry in file.entries)}
    for entry in file.entries:
        sizes[entry.tag] = sizes.get(entry.tag, 0) + entry.length
    return FileFacts(
        size_bytes=file.size_bytes,
        bits_per_pixel=8 * file.size_bytes / (header.frames * header.height * header.width),
        width=header.width,
        height=header.height,
        frames=header.frames,
        frame_rate=header.frame_rate,
        variable_frame_rate=header.timestamps is None,
        duration_seconds=header.frames * header.frame_rate[1] / header.frame_rate[0],
        color_primaries=header.color_primaries,
        color_transfer=header.color_transfer,
        color_matrix=header.color_matrix,
        color_range=header.color_range,
        pixel_aspect=header.pixel_aspect,
        rotation=header.rotation,
        segments=header.segments,
        models=tuple(sorted({_model_name(file, number) for number in range(len(header.segments))})),
        tracks=tuple(_track_text(header, number) for number in range(len(header.tracks))),
        metadata=dict(header.metadata),
        section_bytes=sizes,
        provenance=dict(header.provenance),
        initialization=None if header.initialization is None else asdict(header.initialization),
        verified=verified,
    )


def _model_name(file: NervFile, segment: int) -> str:
    try:
        return str(json.loads(file.read(MODL, segment))["model"]["name"])
    except (ValueError, KeyError, TypeError):
        return "unknown"


def _track_text(header: Header, number: int) -> str:
    track = header.tracks[number]
    return f"{track.kind} {track.codec}" + (f" ({track.language})" if track.language else "")
