"""The header: what a .nerv file says about its video, checked field by field."""

import json
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from nervid.container.checks import check_int, check_object, check_text, item, wrong
from nervid.container.format import MAX_FRAMES, MAX_SIDE, MIN_SIDE, SCHEMA_VERSION, TIME, canonical_json
from nervid.container.reference import (
    CHANGES_SCHEMA,
    INITIALIZATION,
    InitializationReference,
    read_reference,
)
from nervid.errors import FormatError, InputError, UnsupportedVersionError

MAX_TERM = (1 << 31) - 1
"""Largest numerator or denominator of a ratio, FFmpeg's limit."""
MAX_START = 1 << 62
"""Largest magnitude of the first timestamp; with MAX_STEP it keeps every timestamp inside int64."""
MAX_STEP = 1 << 38
"""Largest distance of evenly spaced timestamps, ticks."""
RATIOS = ("time_base", "frame_rate", "pixel_aspect")
"""Fields of two positive integers."""
COLOR_CODES = ("color_primaries", "color_transfer", "color_matrix", "color_range")
"""Fields of one byte."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvenTimestamps:
    """Timestamps ``start + step * i`` of the frames i = 0, 1, 2, ..."""

    start: int
    """Timestamp of the first frame, ticks of the time base, -2**62 to 2**62."""
    step: int
    """Ticks from one frame to the next, 1 to 2**38."""

    def __post_init__(self) -> None:
        _check_even(self.start, self.step)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackSummary:
    """An audio or subtitle track that the file carries unchanged; for display."""

    kind: str
    """``audio`` or ``subtitle``."""
    codec: str
    """FFmpeg's name of the codec, such as ``aac``."""
    language: str | None = None
    """Language tag of the source, such as ``eng``; None when it has none."""

    def __post_init__(self) -> None:
        _check_track(self.kind, self.codec, self.language)


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What a file says about its video; every field is checked on construction.

    Raises:
        InputError: If a field has the wrong type or is out of range; the message names it.
    """

    width: int
    """Pixels per row, 16 to 4096."""
    height: int
    """Rows, 16 to 4096."""
    frames: int
    """Frames in the file, 1 to 2**24."""
    time_base: tuple[int, int]
    """Seconds per tick of the timestamps, numerator and denominator, each 1 to 2**31 - 1."""
    frame_rate: tuple[int, int]
    """Nominal frames per second, numerator and denominator, each 1 to 2**31 - 1."""
    timestamps: EvenTimestamps | None
    """Evenly spaced timestamps, or None when section TIME holds them."""
    segments: tuple[int, ...]
    """Frames in each segment, in order, each at least 1, together ``frames``."""
    color_primaries: int = 2
    """Code point of ITU-T H.273, 0 to 255; 2 is unspecified."""
    color_transfer: int = 2
    """Code point of ITU-T H.273, 0 to 255; 2 is unspecified."""
    color_matrix: int = 2
    """Code point of ITU-T H.273, 0 to 255; 2 is unspecified."""
    color_range: int = 0
    """0 unspecified, 1 limited (16 to 235), 2 full (FFmpeg's numbering), at most 255."""
    pixel_aspect: tuple[int, int] = (1, 1)
    """Width to height of one pixel, each 1 to 2**31 - 1."""
    rotation: int = 0
    """Degrees counterclockwise to turn the picture for display, -360 to 360."""
    bit_depth: int = 8
    """Bits per sample of the source, 1 to 16."""
    metadata: Mapping[str, str] = field(default_factory=dict)
    """Title and other tags of the source's container."""
    tracks: tuple[TrackSummary, ...] = ()
    """Copied tracks, one TRAK section each, in order."""
    provenance: Mapping[str, Any] = field(default_factory=dict)
    """How the file was made (nervid version, options), any JSON object; informative only."""
    initialization: InitializationReference | None = None
    """The initialization from whose weights the stored ones are changes; None where they are the weights."""

    def __post_init__(self) -> None:
        _check_fields({entry.name: getattr(self, entry.name) for entry in fields(self)})

    def to_json(self) -> bytes:
        """Return the header as canonical JSON.

        Raises:
            InputError: If ``provenance`` or a text cannot be written as JSON.
        """
        document: dict[str, object] = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        document["schema"] = SCHEMA_VERSION
        if self.initialization is None:
            del document[INITIALIZATION]
        else:
            document["schema"] = CHANGES_SCHEMA
            document[INITIALIZATION] = {
                "name": self.initialization.name,
                "sha256": self.initialization.sha256,
            }
        even = self.timestamps
        document["timestamps"] = TIME if even is None else {"start": even.start, "step": even.step}
        document["tracks"] = [_track_object(track) for track in self.tracks]
        return canonical_json(document)

    @classmethod
    def from_json(cls, data: bytes) -> "Header":
        """Undo :meth:`to_json`; unknown keys are ignored.

        Args:
            data: Canonical JSON, at most MAX_HEADER_BYTES (the caller checks).

        Raises:
            UnsupportedVersionError: If the header has a newer schema.
            FormatError: If a field is missing, has the wrong type or is out of range, or if the JSON
                is not the canonical one.
        """
        document = _load_canonical(data)
        try:
            check_int("schema", item(document, "schema"), 1, MAX_TERM)
            if document["schema"] > CHANGES_SCHEMA:
                raise UnsupportedVersionError(
                    f"header schema {document['schema']} is newer than {CHANGES_SCHEMA}, the newest this "
                    "nervid reads; update nervid"
                )
            names = [entry.name for entry in fields(cls) if entry.name != INITIALIZATION]
            values = {name: item(document, name) for name in names}
            values[INITIALIZATION] = read_reference(document)
            values["timestamps"] = _read_timestamps(values["timestamps"])
            for name in (*RATIOS, "segments"):
                values[name] = _tuple(values[name])
            if isinstance(values["tracks"], list):
                values["tracks"] = tuple(_read_track(track) for track in values["tracks"])
            # Checked before the call as well: values of the wrong type must not meet a typed signature.
            _check_fields(values)
            return cls(**values)
        except InputError as error:
            raise FormatError(str(error)) from None


def _load_canonical(data: bytes) -> dict[str, Any]:
    """Parse a JSON object and refuse any spelling of it but the canonical one."""
    try:
        document = json.loads(data.decode("utf-8"))
        # Comparing whole texts also refuses repeated keys, NaN, 1e999 and lone surrogates.
        is_canonical = canonical_json(document) == data
    except (ValueError, RecursionError):
        is_canonical, document = False, None
    if not is_canonical:
        raise FormatError("header: wanted canonical JSON, got something else; encode the video again")
    if not isinstance(document, dict):
        raise FormatError(
            f"header: wanted a JSON object, got {reprlib.repr(document)}; encode the video again"
        )
    return document


def _read_timestamps(value: object) -> object:
    """Return the constructor's form of the timestamps field, or ``value`` itself when it is wrong."""
    if value == TIME:
        return None
    if not isinstance(value, dict):
        raise wrong("timestamps", f"an object with start and step, or {TIME!r}", value)
    start, step = (item(value, name, "timestamps.") for name in ("start", "step"))
    _check_even(start, step)
    return EvenTimestamps(start=start, step=step)


def _read_track(value: object) -> TrackSummary:
    """Return one track from its JSON object."""
    if not isinstance(value, dict):
        raise wrong("tracks", "a list of objects", value)
    kind, codec = (item(value, name, "track ") for name in ("kind", "codec"))
    language = value.get("language")
    _check_track(kind, codec, language)
    return TrackSummary(kind=kind, codec=codec, language=language)


def _track_object(track: TrackSummary) -> dict[str, str]:
    """Return one track's JSON object, without a language it does not have."""
    language = {} if track.language is None else {"language": track.language}
    return {"kind": track.kind, "codec": track.codec, **language}


def _tuple(value: object) -> object:
    """Return a list as a tuple, anything else as it is for the constructor to refuse."""
    return tuple(value) if isinstance(value, list) else value


def _check_fields(values: Mapping[str, Any]) -> None:
    """Refuse header fields of a wrong type or out of range."""
    check_int("width", values["width"], MIN_SIDE, MAX_SIDE)
    check_int("height", values["height"], MIN_SIDE, MAX_SIDE)
    check_int("frames", values["frames"], 1, MAX_FRAMES)
    check_int("rotation", values["rotation"], -360, 360)
    check_int("bit_depth", values["bit_depth"], 1, 16)
    for name in COLOR_CODES:
        check_int(name, values[name], 0, 255)
    for name in RATIOS:
        if not isinstance(values[name], tuple) or len(values[name]) != 2:
            raise wrong(name, "two integers", values[name])
        for term in values[name]:
            check_int(name, term, 1, MAX_TERM)
    _check_segments(values["segments"], values["frames"])
    check_object("metadata", values["metadata"])
    for key, value in values["metadata"].items():
        check_text(f"metadata {reprlib.repr(key)}", value)
    if not isinstance(values["tracks"], tuple):
        raise wrong("tracks", "a list of objects", values["tracks"])
    check_object("provenance", values["provenance"])
    if not isinstance(values[INITIALIZATION], InitializationReference | None):
        raise wrong(INITIALIZATION, "a reference or nothing", values[INITIALIZATION])


def _check_segments(segments: object, frames: int) -> None:
    """Refuse anything but positive frame counts that add up."""
    if not isinstance(segments, tuple):
        raise wrong("segments", "a list of integers", segments)
    for index, count in enumerate(segments):
        check_int(f"segments[{index}]", count, 1, MAX_FRAMES)
    if sum(segments) != frames:
        raise wrong("segments", f"counts that add up to {frames} frames", sum(segments))


def _check_even(start: object, step: object) -> None:
    """Refuse evenly spaced timestamps out of range."""
    check_int("timestamps.start", start, -MAX_START, MAX_START)
    check_int("timestamps.step", step, 1, MAX_STEP)


def _check_track(kind: object, codec: object, language: object) -> None:
    """Refuse a track whose texts are none."""
    check_text("track kind", kind)
    check_text("track codec", codec)
    if language is not None:
        check_text("track language", language)
