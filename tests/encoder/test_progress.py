"""The meter of an encoding: what segments report, one by one or side by side, put into the whole."""

import pytest

from nervid.encoder.progress import EncodeProgress, ProgressMeter
from nervid.encoder.segment import SegmentProgress
from nervid.fit.trainer import FitProgress

FIT = FitProgress(phase="fit", step=1, steps=4, psnr_db=30.0, frames_per_second=2.0, restarts=0)


@pytest.fixture
def reports() -> list[EncodeProgress]:
    return []


@pytest.fixture
def meter(reports: list[EncodeProgress], monkeypatch: pytest.MonkeyPatch) -> ProgressMeter:
    """Three segments of 8, 8 and 4 frames, 20 seconds spent before; its clock moves by 2 seconds a look."""
    ticks = iter(range(100, 200, 2))
    monkeypatch.setattr("nervid.encoder.progress.time.monotonic", lambda: float(next(ticks)))
    return ProgressMeter(
        reports.append, frames=(8, 8, 4), surrounding_bytes=100, target_bytes=None, seconds_before=20.0
    )


def step(number: int, share_done: float, budget_bytes: float = 400.0) -> SegmentProgress:
    return SegmentProgress(
        number=number, attempt=0, share_done=share_done, budget_bytes=budget_bytes, fit=FIT
    )


def test_segments_run_from_their_first_report_until_they_are_finished(
    meter: ProgressMeter, reports: list[EncodeProgress]
) -> None:
    meter.update(step(1, 0.25))
    meter.update(step(0, 0.25))
    meter.finish(1, 400)
    meter.update(step(2, 0.5))
    meter.finish(0, 400)
    meter.update(step(2, 1.0))
    assert [report.segment for report in reports] == [1, 0, 2, 2]
    assert [report.running for report in reports] == [(1,), (0, 1), (0, 2), (2,)]
    assert {report.segments for report in reports} == {3}


def test_a_segment_counts_by_its_frames(meter: ProgressMeter, reports: list[EncodeProgress]) -> None:
    meter.update(step(1, 0.25))
    meter.update(step(0, 0.25))
    meter.finish(1, 400)
    meter.update(step(2, 0.5))
    assert [report.share_done for report in reports] == pytest.approx([0.1, 0.2, 0.6])


def test_time_left_follows_the_pace_since_the_first_report(
    meter: ProgressMeter, reports: list[EncodeProgress]
) -> None:
    meter.update(step(0, 0.25))
    meter.update(step(0, 0.75))
    # 0.1 of the whole, then 0.2 more in the 4 seconds since the meter began.
    assert reports[0].left_seconds == float("inf")
    assert reports[1].left_seconds == pytest.approx(0.7 / (0.2 / 4))
    assert [report.elapsed_seconds for report in reports] == [22.0, 24.0]


def test_segments_not_begun_are_taken_to_get_as_many_bytes_a_frame(
    meter: ProgressMeter, reports: list[EncodeProgress]
) -> None:
    meter.update(step(0, 0.5, budget_bytes=400))
    meter.update(step(2, 0.5, budget_bytes=320))
    assert [report.projected_bytes for report in reports] == [100 + 1000, 100 + 1200]
