"""Encoded files give back times, tags and tracks as they were."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from nervid.errors import InputError
from nervid.video import Color, VideoInfo, open_writer, read

from .samples import Recipe, copy_clip, make_video, picture, reference_packets, seconds

_INFO = VideoInfo(width=48, height=32, time_base=Fraction(1, 25), frame_rate=Fraction(25))


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_everything_said_about_a_video_survives_a_copy(tmp_path: Path, suffix: str) -> None:
    recipe = Recipe(
        time_base=Fraction(1, 1000),
        pts=[500 + 40 * n + n % 3 * 7 for n in range(24)],
        color=(1, 1, 1, 1),
        pixel_aspect=Fraction(4, 3),
        rotation=90,
        metadata={"title": "A bar moves"},
    )
    source = read(make_video(tmp_path / "source.mkv", recipe))
    copy = copy_clip(source, tmp_path / f"copy{suffix}")
    assert seconds(copy) == seconds(source) == [Fraction(n, 1000) for n in recipe.pts or ()]
    assert copy.info.color == source.info.color == Color(primaries=1, transfer=1, matrix=1, range=1)
    assert copy.info.pixel_aspect == Fraction(4, 3)
    assert copy.info.rotation == 90
    assert copy.info.metadata["title"] == "A bar moves"


@pytest.mark.parametrize("base", [Fraction(1001, 30000), Fraction(1, 90000), Fraction(1, 12800)])
def test_mp4_represents_the_ticks_exactly(tmp_path: Path, base: Fraction) -> None:
    info = replace(_INFO, time_base=base)
    step = max(1, round(Fraction(1, 25) / base))
    ticks = [7 + index * step + index % 2 * (step // 3) for index in range(10)]
    with open_writer(tmp_path / "a.mp4", info) as writer:
        for index, tick in enumerate(ticks):
            writer.write(picture(index), tick)
    assert seconds(read(tmp_path / "a.mp4")) == [tick * base for tick in ticks]


@pytest.mark.parametrize(
    ("suffix", "audio", "subtitle"),
    [
        (".mp4", "aac", "mov_text"),
        (".mov", "aac", "mov_text"),
        (".mkv", "aac", "subrip"),
        (".mkv", "libopus", "ass"),
        (".mkv", "flac", None),
        (".mkv", "pcm_s16le", None),
        (".mp4", "ac3", None),
    ],
)
def test_packets_of_tracks_come_back_exactly(
    tmp_path: Path, suffix: str, audio: str, subtitle: str | None
) -> None:
    recipe = Recipe(audio=audio if audio != "flac" else "aac", subtitle=subtitle)
    if audio == "flac":
        recipe = replace(recipe, audio="pcm_s16le")
    source = read(make_video(tmp_path / f"source{suffix}", recipe))
    copy = copy_clip(source, tmp_path / f"copy{suffix}")
    kinds = ["audio", "subtitle"] if subtitle else ["audio"]
    assert [track.kind for track in copy.tracks] == kinds
    for before, after, kind in zip(source.tracks, copy.tracks, kinds, strict=True):
        assert list(before.packets) == reference_packets(tmp_path / f"source{suffix}", kind)
        assert after == before
    assert seconds(copy) == seconds(source)


def test_sound_that_begins_before_zero_does_not_move_the_picture(tmp_path: Path) -> None:
    source = read(make_video(tmp_path / "a.mp4", Recipe(audio="aac")))
    assert source.tracks[0].packets[0].pts == -1024
    copy = copy_clip(source, tmp_path / "a.mkv")
    assert seconds(copy) == seconds(source)
    assert copy.tracks[0].packets[0].pts == -21
    assert [packet.data for packet in copy.tracks[0].packets] == [
        packet.data for packet in source.tracks[0].packets
    ]


def test_a_track_that_the_container_does_not_allow_is_named(tmp_path: Path) -> None:
    clip = read(make_video(tmp_path / "a.mkv", Recipe(subtitle="subrip", frames=2)))
    with pytest.raises(InputError, match=r"codec subrip of the subtitle track .* write to \.mkv"):
        open_writer(tmp_path / "b.mp4", clip.info, tracks=clip.tracks)
    movie = read(make_video(tmp_path / "c.mp4", Recipe(subtitle="mov_text", frames=2)))
    with pytest.raises(InputError, match=r"codec mov_text .* is not allowed in \.mkv; leave the track out"):
        open_writer(tmp_path / "d.mkv", movie.info, tracks=movie.tracks)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.mkv", "c.mp4"]


@pytest.mark.parametrize("matrix", [0, 1, 2, 6, 9])
@pytest.mark.parametrize("color_range", [0, 1, 2])
def test_colors_do_not_shift(tmp_path: Path, matrix: int, color_range: int) -> None:
    info = replace(
        _INFO, width=49, height=33, color=Color(primaries=1, transfer=1, matrix=matrix, range=color_range)
    )
    with open_writer(tmp_path / "a.mp4", info, crf=0) as writer:
        writer.write(picture(0, 49, 33), 0)
    copy = read(tmp_path / "a.mp4")
    error = copy.load()[0].astype(int) - picture(0, 49, 33)
    assert abs(error).max() <= 6
    assert abs(error.mean(axis=(0, 1))).max() < 1.0
    expected = (1, 1) if matrix == 0 else (matrix, color_range)
    assert copy.info.color.matrix == expected[0]
    assert copy.info.color.range in {expected[1], 1 if expected[1] == 0 else expected[1]}


def test_a_lossless_codec_keeps_every_pixel(tmp_path: Path) -> None:
    source = read(np.stack([picture(index, 47, 33) for index in range(5)]))
    assert np.array_equal(copy_clip(source, tmp_path / "a.mkv", codec="ffv1").load(), source.load())


@pytest.mark.parametrize("codec", ["libx265", "libsvtav1"])
def test_other_encoders_are_quiet_and_keep_times(
    tmp_path: Path, codec: str, capfd: pytest.CaptureFixture[str]
) -> None:
    frames = np.stack([picture(index, 64, 64) for index in range(6)])
    copy = copy_clip(read(frames), tmp_path / "a.mp4", codec=codec, crf=30)
    assert seconds(copy) == [Fraction(n, 25) for n in range(6)]
    assert abs(copy.load().astype(int) - frames).mean() < 20
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("a.mp4", {"codec": "libx246"}, "codec libx246 is unknown"),
        ("a.mp4", {"codec": "aac"}, "codec aac is for audio"),
        ("a.mov", {"codec": "libvpx-vp9"}, r"\.mov cannot hold libvpx-vp9 together; write to \.mkv"),
        ("a.mkv", {"codec": "ffv1", "crf": 3}, "codec ffv1 knows no crf"),
        ("a.mov", {"codec": "ffvhuff"}, r"codec ffvhuff is not allowed in \.mov; write to \.mkv"),
        ("a.wmv", {}, r"wanted \.mp4, \.mov, \.mkv, \.y4m, \.npy, a folder or -, got \.wmv"),
    ],
)
def test_what_cannot_be_written_is_refused_at_once(
    tmp_path: Path, name: str, options: dict[str, str | int], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        open_writer(tmp_path / name, _INFO, **options)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_an_encoder_that_refuses_says_why(tmp_path: Path) -> None:
    # MPEG-4 part 2 counts at most 65535 ticks per second.
    info = replace(_INFO, time_base=Fraction(1, 90000))
    with pytest.raises(InputError, match=r"codec mpeg4 refuses 48x32 yuv420p \(Invalid argument\)"):
        open_writer(tmp_path / "a.mkv", info, codec="mpeg4")
    assert list(tmp_path.iterdir()) == []


def test_an_encoder_without_full_chroma_refuses_odd_sides(tmp_path: Path) -> None:
    info = replace(_INFO, width=65, height=65)
    with pytest.raises(InputError, match=r"codec libsvtav1 cannot store 65x65 .* an even width and height"):
        open_writer(tmp_path / "a.mp4", info, codec="libsvtav1")


def test_the_same_frames_give_the_same_file(tmp_path: Path) -> None:
    clip = read(make_video(tmp_path / "source.mkv", Recipe(audio="aac", frames=6)))
    for suffix in (".mp4", ".mkv"):
        copy_clip(clip, tmp_path / f"a{suffix}")
        copy_clip(clip, tmp_path / f"b{suffix}")
        assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()
