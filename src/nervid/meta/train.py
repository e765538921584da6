"""Meta-training: from windows of many videos to one initialization."""

import hashlib
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final, Protocol, runtime_checkable

import torch

from nervid._version import __version__
from nervid.encoder.devices import find_devices
from nervid.errors import InputError
from nervid.fit.distributed import ALONE, Ranks
from nervid.fit.trainer import Interrupted
from nervid.initializations import Initialization
from nervid.meta.config import MetaConfig
from nervid.meta.curve import Curve, CurvePoint
from nervid.meta.learner import Learner, Window
from nervid.meta.progress import Averages, MetaProgress
from nervid.meta.state import MetaState
from nervid.meta.step import LearningSteps, refusal

__all__ = ["Interrupted", "MetaProgress", "WindowSource", "meta_train"]

RATE_WINDOWS: Final = 8
"""Windows that choose the first inner rate."""
POINTS: Final = 100
"""Points of the curve, about."""


@runtime_checkable
class WindowSource(Protocol):
    """Gives windows by number, always the same for the same number: ``nervid.meta.windows.Windows``."""

    def window(self, number: int) -> Window:
        """Return window ``number``, from 0."""


def meta_train(
    windows: WindowSource,
    config: MetaConfig,
    *,
    corpus_key: str = "",
    held_out: Sequence[Window] = (),
    state: Path | None = None,
    curve: Path | None = None,
    provenance: dict[str, Any] | None = None,
    on_progress: Callable[[MetaProgress], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
    save_seconds: float = 20.0,
    ranks: Ranks = ALONE,
) -> Initialization:
    """Learn one initialization from which any of the windows, and so a new clip, fits in a few steps.

    Every learning step fits ``config.tasks`` windows in ``config.inner_steps`` steps each, all from the same
    weights, and moves those weights to where the fits end better.

    Args:
        windows: Square windows of ``config.size`` pixels and ``config.frames`` frames; learning step ``s``
            takes the numbers from ``s * config.tasks`` on.
        config: All choices.
        corpus_key: Names the videos: a state of others is not gone on with.
        held_out: Windows of other videos, to be measured every now and then.
        state: File that keeps the resumable state; None keeps none.
        curve: File of JSON lines that tells how learning went; None keeps none.
        provenance: Written into the initialization beside the choices.
        on_progress: Called after every learning step, and once when a state is gone on with.
        should_stop: Asked before every learning step; True saves the state and raises ``Interrupted``.
        save_seconds: Time between two saves of the state.
        ranks: Processes that share the tasks of every step; the first one alone keeps files and reports.

    Raises:
        Interrupted: When ``should_stop`` said so.
        InputError: If learning diverges, the device is not there, or there are more processes than tasks.
        OutputError: If a file cannot be written.
        ElsewhereError: If another rank has ended.

    Source:
        MetaNeRV (Guo, Liu et al., AAAI 2025, arXiv:2501.02427), of which we know the abstract: one learned
        initialization, spatial guidance (a loss on every stage's image), temporal guidance (frames that grow
        in number). First- and second-order gradients: MAML (Finn et al., ICML 2017, arXiv:1703.03400).
        Learned inner rates by tensor and step, and losses before every inner step: MAML++ (Antoniou et al.,
        ICLR 2019, arXiv:1810.09502). Reptile: Nichol et al. (arXiv:1803.02999). Orthogonal inner steps are
        ours.
    """
    return _MetaTraining(windows, config, corpus_key, held_out, state, curve, provenance or {}, ranks).run(
        on_progress, should_stop, save_seconds
    )


class _MetaTraining:
    """One call of :func:`meta_train`."""

    def __init__(
        self,
        windows: WindowSource,
        config: MetaConfig,
        corpus_key: str,
        held_out: Sequence[Window],
        state: Path | None,
        curve: Path | None,
        provenance: dict[str, Any],
        ranks: Ranks,
    ) -> None:
        if ranks.size > config.tasks:
            raise refusal(
                ranks,
                f"a learning step has {config.tasks} tasks, too few for {ranks.size} processes; use "
                f"--tasks {ranks.size}",
            )
        self._windows, self._config, self._ranks = windows, config, ranks
        self._started = time.monotonic()
        self._device = torch.device(ranks.device if ranks.size > 1 else _device(config.device))
        self._held_out = [window.to(self._device) for window in held_out]
        self._path = state if ranks.is_first else None
        words = f"{__version__} {replace(config, device='')!r} {corpus_key}"
        self._key = hashlib.sha256(words.encode()).hexdigest()
        self._provenance = provenance | {"config": asdict(config) | {"device": self._device.type}}
        self._learner = Learner(config).to(self._device)
        known = ranks.from_first(None if self._path is None else MetaState.read(self._path, key=self._key))
        self._learner.set_rates(1.0 if known is not None else ranks.by_first(self._first_rate))
        self._steps = LearningSteps(self._learner, ranks)
        self._step = 0
        self._averages, points = Averages(), list[CurvePoint]()
        self._seconds_before = 0.0
        if known is not None:
            self._steps.load_state_tensors(known.tensors)
            self._steps.skipped = known.skipped
            self._step, self._averages = known.step, known.averages
            self._seconds_before, points = known.seconds, known.points
        self._first_step, self._learning_since = self._step, time.monotonic()
        self._curve = Curve(curve if ranks.is_first else None, points)

    def run(
        self,
        on_progress: Callable[[MetaProgress], None] | None,
        should_stop: Callable[[], bool] | None,
        save_seconds: float,
    ) -> Initialization:
        saved, steps = time.monotonic(), self._config.steps
        if on_progress is not None and self._ranks.is_first and self._step:
            on_progress(self._progress())
        while self._step < steps:
            if self._ranks.any(should_stop is not None and should_stop()):
                self._save()
                self._ranks.wait()
                raise Interrupted
            if time.monotonic() - saved > save_seconds:
                self._save()
                saved = time.monotonic()
            self._learn()
            if on_progress is not None and self._ranks.is_first:
                on_progress(self._progress())
        self._save()
        return self._learner.initialization(self._provenance | {"steps": steps, "version": __version__})

    @property
    def _seconds(self) -> float:
        return self._seconds_before + time.monotonic() - self._started

    def _learn(self) -> None:
        """Take one learning step."""
        config, ranks = self._config, self._ranks
        frames, first = config.frames_at(self._step), self._step * config.tasks
        numbers = range(first + ranks.number, first + config.tasks, ranks.size)
        quality = self._steps.take(self._step, (self._window(number, frames) for number in numbers))
        self._step += 1
        self._note(frames, *quality)

    def _note(self, frames: int, start_db: float, adapted_db: float) -> None:
        """Count a step's quality in, and add a point to the curve where one is due."""
        self._averages.add(start_db, adapted_db)
        apart = max(1, self._config.steps // POINTS)
        if self._step % apart and self._step != self._config.steps:
            return
        means = self._averages.take()
        held_out = self._measure() if self._ranks.is_first else (None, None)
        self._curve.add(
            CurvePoint(
                step=self._step,
                frames=frames,
                start_db=_rounded(means[0]),
                adapted_db=_rounded(means[1]),
                held_out_start_db=_rounded(held_out[0]),
                held_out_db=_rounded(held_out[1]),
                seconds=round(self._seconds, 1),
            )
        )

    def _measure(self) -> tuple[float, float] | tuple[None, None]:
        """PSNR of the held-out windows before and after their inner steps."""
        if not self._held_out:
            return None, None
        before, after = zip(*map(self._learner.adapted_db, self._held_out), strict=True)
        return sum(before) / len(before), sum(after) / len(after)

    def _progress(self) -> MetaProgress:
        elapsed, taken = time.monotonic() - self._learning_since, self._step - self._first_step
        points = self._curve.points
        return MetaProgress(
            step=self._step,
            steps=self._config.steps,
            frames=self._config.frames_at(self._step - 1),
            start_db=self._averages.start_db,
            adapted_db=self._averages.adapted_db,
            held_out_start_db=points[-1].held_out_start_db if points else None,
            held_out_db=points[-1].held_out_db if points else None,
            seconds=self._seconds,
            seconds_left=elapsed / taken * (self._config.steps - self._step) if taken else math.inf,
        )

    def _first_rate(self) -> float:
        """The inner rate that fits some windows best."""
        numbers = range(min(RATE_WINDOWS, self._config.steps * self._config.tasks))
        return self._learner.begin_rates([self._window(number, self._config.frames) for number in numbers])

    def _window(self, number: int, frames: int) -> Window:
        return self._windows.window(number)[:frames].to(self._device)

    def _save(self) -> None:
        if self._path is not None:
            MetaState(
                step=self._step,
                seconds=self._seconds,
                skipped=self._steps.skipped,
                tensors=self._steps.state_tensors(),
                points=self._curve.points,
                averages=self._averages,
            ).save(self._path, key=self._key)


def _device(name: str) -> str:
    """The one device of a name; auto and cuda are the first CUDA device, auto without one the CPU."""
    if "," in name:
        raise InputError(f"device must be one, got {name!r}; several learn together by torchrun")
    return find_devices(name)[0]


def _rounded(value: float | None) -> float | None:
    """A number for the curve, with three decimals; None if it is none, which JSON could not say."""
    return None if value is None or not math.isfinite(value) else round(value, 3)
