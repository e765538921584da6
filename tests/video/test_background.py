"""A thread writes what is drawn: the same bytes in the same order, and nothing left after a failure."""

import signal
import threading
import time
from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import cycle
from pathlib import Path

import numpy as np
import pytest

from nervid.errors import InputError, OutputError
from nervid.video import VideoInfo, VideoWriter, open_writer, read
from nervid.video.background import in_background

from .samples import picture

INFO = VideoInfo(width=48, height=32, time_base=Fraction(1, 25), frame_rate=Fraction(25))
FRAMES = [picture(index) for index in range(12)]
FRAME_BYTES = FRAMES[0].nbytes
PATIENCE_SECONDS = 20
"""Far more than anything here takes; a test that waits so long has failed."""


class GatedSink:
    """Notes what happens to it; a frame is only written once the gate is open."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.began = threading.Event()
        self.events: list[str] = []
        self.failure: OSError | None = None

    def write(self, frame: np.ndarray, timestamp: int) -> None:
        self.began.set()
        assert self.gate.wait(PATIENCE_SECONDS)
        if self.failure is not None:
            raise self.failure
        self.events.append(f"write {timestamp}")

    def finish(self) -> None:
        self.events.append("finish")

    def abort(self) -> None:
        self.events.append("abort")


@pytest.fixture
def sink() -> GatedSink:
    return GatedSink()


@pytest.fixture
def writer(sink: GatedSink) -> VideoWriter:
    return VideoWriter(sink, INFO, None, None)


def write_all(
    writer: VideoWriter, timestamps: Iterable[int], *, queue_bytes: int = 100 * FRAME_BYTES
) -> None:
    with in_background(writer, queue_bytes=queue_bytes) as target:
        for timestamp, frame in zip(timestamps, cycle(FRAMES), strict=False):
            target.write(frame, timestamp)


# Not libx264, whose bytes differ from run to run for frames as small as these.
@pytest.mark.parametrize(("name", "codec"), [("a.mkv", "ffv1"), ("a.y4m", "libx264"), ("a.npy", "libx264")])
def test_the_file_is_the_one_written_directly(tmp_path: Path, name: str, codec: str) -> None:
    direct = tmp_path / f"direct-{name}"
    with open_writer(direct, INFO, codec=codec) as writer:
        for timestamp, frame in enumerate(FRAMES):
            writer.write(frame, timestamp)
    write_all(open_writer(tmp_path / name, INFO, codec=codec), range(12), queue_bytes=3 * FRAME_BYTES)
    assert (tmp_path / name).read_bytes() == direct.read_bytes()
    assert len(list(tmp_path.iterdir())) == 2


def test_a_folder_holds_all_images_in_order(tmp_path: Path) -> None:
    write_all(open_writer(tmp_path / "images", INFO), range(12))
    assert np.array_equal(read(tmp_path / "images").load(), np.stack(FRAMES))


def test_drawing_goes_on_while_a_frame_is_written(sink: GatedSink, writer: VideoWriter) -> None:
    with in_background(writer) as target:
        for timestamp in range(5):
            target.write(FRAMES[timestamp], timestamp)
        assert sink.events == []
        sink.gate.set()
    assert sink.events == [*(f"write {timestamp}" for timestamp in range(5)), "finish"]


def test_no_more_frames_wait_than_memory_is_given_for(sink: GatedSink, writer: VideoWriter) -> None:
    taken: list[int] = []
    fourth = threading.Event()

    def draw() -> None:
        with in_background(writer, queue_bytes=3 * FRAME_BYTES + 1) as target:
            for timestamp in range(5):
                if timestamp == 3:
                    fourth.set()
                target.write(FRAMES[timestamp], timestamp)
                taken.append(timestamp)

    drawing = threading.Thread(target=draw)
    drawing.start()
    assert fourth.wait(PATIENCE_SECONDS)
    drawing.join(0.2)
    # One is being written, two wait.
    assert taken == [0, 1, 2]
    sink.gate.set()
    drawing.join(PATIENCE_SECONDS)
    assert taken == [0, 1, 2, 3, 4]
    assert sink.events[-1] == "finish"


def test_a_frame_larger_than_the_queue_still_gets_through(sink: GatedSink, writer: VideoWriter) -> None:
    sink.gate.set()
    write_all(writer, range(3), queue_bytes=1)
    assert sink.events == ["write 0", "write 1", "write 2", "finish"]


def test_a_failure_is_raised_at_the_next_frame(sink: GatedSink, writer: VideoWriter) -> None:
    sink.failure = OSError(28, "No space left on device")
    sink.gate.set()
    endless = iter(range(1000))
    with pytest.raises(OutputError, match=r"standard output: cannot be written \(No space left on device\)"):
        write_all(writer, endless, queue_bytes=2 * FRAME_BYTES)
    # At most two had room, and one more was drawn in vain.
    assert next(endless) <= 3
    assert sink.events == ["abort"]


def test_a_failure_at_the_last_frame_is_raised_at_the_end(sink: GatedSink, writer: VideoWriter) -> None:
    sink.gate.set()
    with pytest.raises(InputError, match="timestamps must increase, got 5 after 5"):
        write_all(writer, [5, 5])
    assert sink.events == ["write 5", "abort"]


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Ctrl-C as in a terminal: a shell that starts these tests in the background has it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_an_interruption_drops_what_waits_and_aborts_after_the_frame_at_hand(
    sink: GatedSink, writer: VideoWriter
) -> None:
    main_thread = threading.get_ident()

    def interrupt_twice() -> None:
        assert sink.began.wait(PATIENCE_SECONDS)
        for _ in range(2):
            # The second one comes while the block waits for its thread.
            signal.pthread_kill(main_thread, signal.SIGINT)
            time.sleep(0.2)
        sink.gate.set()

    impatience = threading.Thread(target=interrupt_twice)
    impatience.start()
    with pytest.raises(KeyboardInterrupt):
        write_all(writer, range(1000), queue_bytes=5 * FRAME_BYTES)
    impatience.join()
    assert sink.events == ["write 0", "abort"]


def test_no_thread_is_left(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    with in_background(open_writer(tmp_path / "a.npy", INFO)) as target:
        (thread,) = set(threading.enumerate()) - before
        target.write(FRAMES[0], 0)
    thread.join(PATIENCE_SECONDS)
    assert not thread.is_alive()


def test_a_writer_without_frames_fails(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no frame was written"):
        write_all(open_writer(tmp_path / "a.npy", INFO), [])
    assert list(tmp_path.iterdir()) == []
