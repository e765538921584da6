"""Meta-training: from windows of many videos to one initialization."""

import hashlib
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final, Protocol

import torch
from torch import Tensor, nn

from nervid._version import __version__
from nervid.errors import InputError
from nervid.fit.distributed import ALONE, Ranks
from nervid.fit.optimizer import Optimizer
from nervid.fit.trainer import Interrupted
from nervid.initializations import Initialization
from nervid.meta.config import MetaConfig
from nervid.meta.curve import Curve, CurvePoint
from nervid.meta.learner import Learner, Window
from nervid.meta.state import MetaState

MOST_SKIPPED: Final = 20
"""Steps in a row without a finite gradient after which learning is given up."""
MOST_NORM: Final = 1.0
"""Norm of the learning gradient above which it is scaled down, as in GradNCP's code."""
WARMUP_STEPS: Final = 20
"""Steps in which the learning rates rise to their full value; chosen, untuned."""
RATE_WINDOWS: Final = 8
"""Windows that choose the first inner rate."""
POINTS: Final = 100
"""Points of the curve, about."""
BETAS: Final = (0.9, 0.99)
PROGRESS_DECAY: Final = 0.05
"""Share of a new step in the running means that are shown."""


class WindowSource(Protocol):
    """Gives windows by number, always the same for the same number: ``nervid.meta.windows.Windows``."""

    def window(self, number: int) -> Window:
        """Return window ``number``, from 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetaProgress:
    """What meta-training reports after a step."""

    step: int
    """Learning steps taken."""
    steps: int
    """Learning steps in all."""
    frames: int
    """Frames that windows have at present."""
    start_db: float
    """Running mean of the windows' PSNR before their inner steps, in dB."""
    adapted_db: float
    """Running mean of their PSNR after them, in dB."""
    held_out_db: float | None
    """The latest PSNR of held-out windows after the inner steps, in dB."""
    seconds: float
    """Time spent so far, earlier runs included."""
    seconds_left: float
    """Time that the remaining steps take at the mean speed of this run."""


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
        on_progress: Called after every learning step.
        should_stop: Asked before every learning step; True saves the state and raises ``Interrupted``.
        save_seconds: Time between two saves of the state.
        ranks: Processes that share the tasks of every step; the first one alone keeps files and reports.

    Raises:
        Interrupted: When ``should_stop`` said so.
        InputError: If learning diverges.
        OutputError: If a file cannot be written.
        ElsewhereError: If another rank has ended.

    Source:
        MetaNeRV (Guo, Liu et al., AAAI 2025), of which the abstract alone is known to us: one learned
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
        self._windows, self._config, self._ranks = windows, config, ranks
        self._device = torch.device(ranks.device if ranks.size > 1 else _device(config.device))
        self._held_out = [window.to(self._device) for window in held_out]
        self._path = state if ranks.is_first else None
        words = f"{__version__} {replace(config, device='')!r} {corpus_key}"
        self._key = hashlib.sha256(words.encode()).hexdigest()
        self._provenance = provenance | {"config": asdict(config) | {"device": self._device.type}}
        self._learner = Learner(config).to(self._device)
        self._weights = self._learner.weights()
        known = ranks.from_first(None if self._path is None else MetaState.read(self._path, key=self._key))
        if known is None:
            numbers = range(min(RATE_WINDOWS, config.steps * config.tasks))
            self._learner.begin_rates([self._window(number, config.frames) for number in numbers])
        else:
            self._learner.set_rates(1.0)
        self._optimizer = Optimizer(self._weights, kind="adam", betas=BETAS)
        self._rates = {name: rate for name, rate in self._learner.log_rates.items() if rate.requires_grad}
        self._rate_optimizer = Optimizer(self._rates, kind="adam", betas=BETAS)
        self._step = self._skipped = 0
        self._seconds_before = 0.0
        points: list[CurvePoint] = []
        if known is not None:
            self._load(known.tensors)
            self._step, self._skipped = known.step, known.skipped
            self._seconds_before, points = known.seconds, known.points
        self._first_step, self._started = self._step, time.monotonic()
        self._curve = Curve(curve if ranks.is_first else None, points)
        self._sums, self._counted = [0.0, 0.0], 0
        self._shown: list[float] | None = None

    def run(
        self,
        on_progress: Callable[[MetaProgress], None] | None,
        should_stop: Callable[[], bool] | None,
        save_seconds: float,
    ) -> Initialization:
        saved, steps = time.monotonic(), self._config.steps
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
        config = self._config
        frames = config.frames_at(self._step)
        everything = [*self._weights.values(), *self._rates.values()]
        for parameter in everything:
            parameter.grad = None
        start_db = adapted_db = 0.0
        first = self._step * config.tasks
        for number in range(first + self._ranks.number, first + config.tasks, self._ranks.size):
            errors = self._learner.task(self._window(number, frames), share=1 / config.tasks)
            start_db += errors[0] / config.tasks
            adapted_db += errors[1] / config.tasks
        start_db, adapted_db = self._ranks.sum_gradients(everything, (start_db, adapted_db))
        norm = nn.utils.clip_grad_norm_(list(self._weights.values()), MOST_NORM)
        if bool(torch.isfinite(norm)):
            self._skipped = 0
            scale = min(1.0, (self._step + 1) / WARMUP_STEPS)
            scale *= 0.5 * (1 + math.cos(math.pi * self._step / config.steps))
            self._optimizer.step(config.learning_rate * scale)
            self._rate_optimizer.step(config.rates_learning_rate * scale)
        else:
            self._skipped += 1
            if self._skipped > MOST_SKIPPED:
                raise InputError(
                    f"meta-training diverged at step {self._step}; choose a lower --learning-rate or "
                    "--rates-learning-rate"
                )
        self._step += 1
        self._note(frames, start_db, adapted_db)

    def _note(self, frames: int, start_db: float, adapted_db: float) -> None:
        """Count a step's quality in, and add a point to the curve where one is due."""
        now = [start_db, adapted_db]
        if self._shown is None or not all(map(math.isfinite, self._shown)):
            self._shown = now
        self._shown = [old + PROGRESS_DECAY * (new - old) for old, new in zip(self._shown, now, strict=True)]
        self._sums = [total + new for total, new in zip(self._sums, now, strict=True)]
        self._counted += 1
        apart = max(1, self._config.steps // POINTS)
        if self._step % apart and self._step != self._config.steps:
            return
        held_out = self._measure() if self._ranks.is_first else (None, None)
        self._curve.add(
            CurvePoint(
                step=self._step,
                frames=frames,
                start_db=round(self._sums[0] / self._counted, 3),
                adapted_db=round(self._sums[1] / self._counted, 3),
                held_out_start_db=held_out[0],
                held_out_db=held_out[1],
                seconds=round(self._seconds, 1),
            )
        )
        self._sums, self._counted = [0.0, 0.0], 0

    def _measure(self) -> tuple[float | None, float | None]:
        """PSNR of the held-out windows before and after their inner steps."""
        if not self._held_out:
            return None, None
        before = after = 0.0
        for window in self._held_out:
            first, last = self._learner.adapted_db(window)
            before += first / len(self._held_out)
            after += last / len(self._held_out)
        return round(before, 3), round(after, 3)

    def _progress(self) -> MetaProgress:
        assert self._shown is not None
        elapsed, taken = time.monotonic() - self._started, self._step - self._first_step
        latest = [point.held_out_db for point in self._curve.points if point.held_out_db is not None]
        return MetaProgress(
            step=self._step,
            steps=self._config.steps,
            frames=self._config.frames_at(self._step - 1),
            start_db=self._shown[0],
            adapted_db=self._shown[1],
            held_out_db=latest[-1] if latest else None,
            seconds=self._seconds,
            seconds_left=elapsed / taken * (self._config.steps - self._step),
        )

    def _window(self, number: int, frames: int) -> Window:
        return self._windows.window(number)[:frames].to(self._device)

    def _state_tensors(self) -> dict[str, Tensor]:
        tensors = {f"weight.{name}": weight.detach() for name, weight in self._weights.items()}
        tensors |= {f"rate.{name}": rate.detach() for name, rate in self._learner.log_rates.items()}
        for part, optimizer in (("weights", self._optimizer), ("rates", self._rate_optimizer)):
            tensors |= {f"{part}.{key}": moment for key, moment in optimizer.state_tensors().items()}
        return tensors

    def _load(self, tensors: Any) -> None:  # noqa: ANN401 - a mapping of tensors by name
        with torch.no_grad():
            for name, weight in self._weights.items():
                weight.copy_(tensors[f"weight.{name}"])
            for name, rate in self._learner.log_rates.items():
                rate.copy_(tensors[f"rate.{name}"])
        for part, optimizer in (("weights.", self._optimizer), ("rates.", self._rate_optimizer)):
            optimizer.load_state_tensors(
                {key.removeprefix(part): moment for key, moment in tensors.items() if key.startswith(part)}
            )

    def _save(self) -> None:
        if self._path is not None:
            MetaState(
                step=self._step,
                seconds=self._seconds,
                skipped=self._skipped,
                tensors=self._state_tensors(),
                points=self._curve.points,
            ).save(self._path, key=self._key)


def _device(name: str) -> str:
    """The device of a name; auto is the first CUDA device, or the CPU without one."""
    if name == "auto":
        return "cuda:0" if torch.cuda.is_available() else "cpu"
    return name
