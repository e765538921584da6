"""Video files: exact frames, exact times, what headers say and what they hide."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from nervid.errors import InputError
from nervid.video import Color, read

from .samples import Recipe, make_video, reference_frames, reference_packets, seconds

FORMATS = {
    "h264.mp4": Recipe(),
    "h264.mkv": Recipe(time_base=Fraction(1, 1000), pts=[40 * n for n in range(24)]),
    "h264.mov": Recipe(),
    "h264.avi": Recipe(options={"bf": "0"}),
    "vp9.webm": Recipe(codec="libvpx-vp9", options={"cpu-used": "8", "deadline": "realtime"}),
    "palette.gif": Recipe(codec="gif", pixel_format="rgb8"),
    "portrait.mp4": Recipe(width=32, height=64),
    "odd.mp4": Recipe(width=47, height=33, pixel_format="yuv444p"),
    "full.mkv": Recipe(pixel_format="yuvj420p", time_base=Fraction(1, 1000), pts=[40 * n for n in range(24)]),
    "one.mp4": Recipe(frames=1),
}


@pytest.mark.parametrize("name", FORMATS)
def test_frames_and_times_are_exactly_those_of_the_file(tmp_path: Path, name: str) -> None:
    recipe = FORMATS[name]
    path = make_video(tmp_path / name, recipe)
    clip = read(path)
    expected = reference_frames(path)
    assert len(clip) == len(expected) == recipe.frames
    assert np.array_equal(clip.load(), np.stack(expected))
    assert (clip.info.width, clip.info.height) == (recipe.width, recipe.height)
    assert clip.info.frame_rate == 25 or recipe.frames == 1
    start = seconds(clip)[0]
    assert [time - start for time in seconds(clip)] == [Fraction(n, 25) for n in range(recipe.frames)]
    assert clip.warnings == ()


def test_y4m_is_read_exactly(tmp_path: Path) -> None:
    luma = np.random.default_rng(0).integers(16, 236, (3, 33, 17), dtype=np.uint8)
    body = b"".join(b"FRAME\n" + plane.tobytes() + bytes([128] * 2 * 33 * 17) for plane in luma)
    path = tmp_path / "a.y4m"
    path.write_bytes(b"YUV4MPEG2 W17 H33 F30:1 Ip A1:1 C444\n" + body)
    clip = read(path)
    assert clip.info.frame_rate == 30
    assert np.array_equal(clip.load(), np.stack(reference_frames(path)))


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_variable_frame_rate_keeps_every_timestamp(tmp_path: Path, suffix: str) -> None:
    pts = [500 + 40 * n + n % 3 * 7 for n in range(24)]
    path = make_video(tmp_path / f"v{suffix}", Recipe(time_base=Fraction(1, 1000), pts=pts))
    assert seconds(read(path)) == [Fraction(n, 1000) for n in pts]


def test_ten_bits_are_read_as_eight_with_one_warning(tmp_path: Path) -> None:
    path = make_video(tmp_path / "deep.mkv", Recipe(codec="ffv1", pixel_format="yuv420p10le", frames=4))
    clip = read(path)
    assert clip.info.bit_depth == 10
    assert clip.warnings == (f"{path}: 10 bits per sample are read as 8",)
    assert clip.load().dtype == np.uint8


def test_color_aspect_rotation_and_title_are_read(tmp_path: Path) -> None:
    recipe = Recipe(
        color=(9, 16, 9, 1),
        pixel_aspect=Fraction(4, 3),
        rotation=90,
        metadata={"title": "A bar moves"},
        frames=4,
    )
    info = read(make_video(tmp_path / "a.mp4", recipe)).info
    assert info.color == Color(primaries=9, transfer=16, matrix=9, range=1)
    assert info.pixel_aspect == Fraction(4, 3)
    assert info.rotation == 90
    assert info.metadata == {"title": "A bar moves"}


def test_packets_of_sound_and_subtitles_are_copied(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mp4", Recipe(audio="aac", subtitle="mov_text"))
    audio, subtitle = read(path).tracks
    assert (audio.kind, audio.codec, audio.sample_rate, audio.layout) == ("audio", "aac", 48000, "stereo")
    assert len(audio.extradata) >= 2
    assert list(audio.packets) == reference_packets(path, "audio")
    assert (subtitle.kind, subtitle.codec, subtitle.language) == ("subtitle", "mov_text", "eng")
    assert list(subtitle.packets) == reference_packets(path, "subtitle")


def test_source_rate_counts_only_video_packets(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mp4", Recipe(audio="aac"))
    with av.open(str(path)) as container:
        size = sum(packet.size for packet in container.demux(video=0))
    assert read(path).source_bits_per_pixel == 8 * size / (24 * 48 * 32)


def _truncated(path: Path, share: float) -> Path:
    data = path.read_bytes()
    cut = path.with_stem("cut")
    cut.write_bytes(data[: int(len(data) * share)])
    return cut


@pytest.mark.parametrize(("suffix", "container_options"), [(".mp4", {"movflags": "faststart"}), (".mkv", {})])
def test_a_truncated_file_gives_what_decodes_and_says_so(
    tmp_path: Path, suffix: str, container_options: dict[str, str]
) -> None:
    recipe = Recipe(frames=60, options={"crf": "5", "g": "5"}, container_options=container_options)
    whole = make_video(tmp_path / f"a{suffix}", recipe)
    clip = read(_truncated(whole, 0.6))
    assert 10 < len(clip) < 60
    assert np.array_equal(clip.load(0, 10), read(whole).load(0, 10))
    (warning,) = clip.warnings
    assert "cut short or damaged; its header promises about 60 frames" in warning
    assert f"the {len(clip)} that decode are used" in warning


def test_files_that_hold_no_video_are_refused_in_one_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.txt").write_text("Call me Ishmael.\n" * 99)
    (tmp_path / "noise.mkv").write_bytes(np.random.default_rng(1).bytes(5000))
    with av.open(str(tmp_path / "sound.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=48000)
        silence = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), format="fltp", layout="stereo")
        silence.sample_rate = 48000
        container.mux([*stream.encode(silence), *stream.encode()])
    for name, reason in [
        ("absent.mp4", "no such file"),
        ("empty.mp4", "not a video"),
        ("text.txt", "not a video"),
        ("noise.mkv", "not a video"),
        ("sound.mp4", "it holds no video stream"),
    ]:
        with pytest.raises(InputError) as caught:
            len(read(tmp_path / name))
        assert str(caught.value).startswith(f"{tmp_path / name}: {reason}")
        assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_a_size_out_of_range_is_refused(tmp_path: Path) -> None:
    path = make_video(tmp_path / "small.mp4", Recipe(width=14, height=14, frames=2))
    with pytest.raises(InputError, match="must be 16 to 4096 pixels, got 14x14"):
        read(path)


def test_a_frame_rate_for_a_file_is_refused(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mp4", Recipe(frames=2))
    with pytest.raises(InputError, match="a video file has its own frame rate"):
        read(path, frame_rate=30)
