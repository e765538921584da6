"""A clip's facts and its coded segments to the bytes of a file."""

from collections.abc import Sequence
from typing import Any

from nervid.container import (
    ALGN,
    EMBD,
    MODL,
    TIME,
    TRAK,
    WGHT,
    WHOLE_FILE,
    Header,
    Section,
    TrackSummary,
    encode_timestamps,
    even_spacing,
    pack,
)
from nervid.container.reference import InitializationReference
from nervid.encoder.job import CodedSegment
from nervid.video import Clip

EMPTY_SEGMENT = CodedSegment(modl=b"", wght=b"", embd=b"", psnr_db=0.0, parameters=0)
"""Stands for a segment when only what surrounds the segments is measured."""


def assemble(
    clip: Clip,
    ranges: Sequence[range],
    segments: Sequence[CodedSegment],
    provenance: dict[str, Any],
    alignment: bytes | None = None,
    initialization: InitializationReference | None = None,
) -> bytes:
    """Return the bytes of the file.

    Args:
        clip: Gives size, clock, color, metadata and tracks.
        ranges: Frames of each segment, covering the clip in order.
        segments: The coded segment of each range.
        provenance: How the file was made; informative.
        alignment: Payload of section ALGN of an aligned file.
        initialization: That from which weights are stored as changes, if they are.
    """
    even = even_spacing(clip.timestamps)
    info = clip.info
    header = Header(
        width=info.width,
        height=info.height,
        frames=len(clip),
        time_base=info.time_base.as_integer_ratio(),
        frame_rate=info.frame_rate.as_integer_ratio(),
        timestamps=even,
        segments=tuple(len(frames) for frames in ranges),
        color_primaries=info.color.primaries,
        color_transfer=info.color.transfer,
        color_matrix=info.color.matrix,
        color_range=info.color.range,
        pixel_aspect=info.pixel_aspect.as_integer_ratio(),
        rotation=info.rotation,
        bit_depth=info.bit_depth,
        metadata=dict(info.metadata),
        tracks=tuple(
            TrackSummary(kind=track.kind, codec=track.codec, language=track.language or None)
            for track in clip.tracks
        ),
        provenance=provenance,
        initialization=initialization,
    )
    sections = []
    if even is None:
        sections.append(Section(TIME, WHOLE_FILE, encode_timestamps(clip.timestamps)))
    if alignment is not None:
        sections.append(Section(ALGN, WHOLE_FILE, alignment))
    for number, segment in enumerate(segments):
        sections.append(Section(MODL, number, segment.modl))
        sections.append(Section(WGHT, number, segment.wght))
        if segment.embd is not None:
            sections.append(Section(EMBD, number, segment.embd))
    # Tracks come last: a player that wants one frame finds head and networks together at the front.
    sections += [Section(TRAK, number, track.to_bytes()) for number, track in enumerate(clip.tracks)]
    return pack(header, sections)
