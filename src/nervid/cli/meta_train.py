"""``nervid meta-train``: an initialization learned over many videos."""

import hashlib
import os
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import tyro

from nervid.cli.output import check_output
from nervid.cli.progress import ProgressLine, meta_words
from nervid.cli.screen import bytes_text, print_json, print_note, print_warning, stdout, time_text
from nervid.cli.stopping import stop_on_signal
from nervid.errors import InputError
from nervid.meta.config import MetaConfig

if TYPE_CHECKING:
    from nervid.fit.distributed import Ranks
    from nervid.initializations import Initialization
    from nervid.meta.corpus import Corpus
    from nervid.meta.learner import Window
    from nervid.meta.progress import MetaProgress
    from nervid.meta.windows import Windows

FAILED, STOPPED = 1, 130
HELD_OUT_WINDOWS: Final = 8
"""Windows of held-out videos that are measured, each from a shot of its own."""
TOLD: Final = 3
"""Skipped files that are named; the others are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetaTrain:
    """Learn starting weights over many videos, for nervid encode --init.

    PATHS are folders of videos, video files, .tar shards, or globs of photographs. Stopped by Ctrl-C or
    worse, the same command goes on where it was.
    """

    paths: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="PATH...")] = ()
    """Folders of videos, searched at any depth, video files, .tar shards of videos, globs of photographs."""
    output: Annotated[Path, tyro.conf.arg(metavar="FILE.safetensors", aliases=["-o"])]
    """The initialization to write."""
    held_out: Annotated[tuple[str, ...], tyro.conf.arg(metavar="PATH...")] = ()
    """Other videos, which are not learned from: what was learned is measured on them now and then."""
    config: tyro.conf.OmitArgPrefixes[MetaConfig] = field(default_factory=MetaConfig)
    """What to learn, and how."""
    save_every: Annotated[float, tyro.conf.arg(metavar="SECONDS")] = 20.0
    """Time between two saves of the state: the most that a kill loses."""
    json: bool = False
    """Print the result as JSON."""

    def run(self) -> int:
        """Learn, and return the exit code."""
        if not self.paths:
            raise InputError("wanted videos to learn from, got none; name folders, videos or .tar shards")
        if self.output.suffix != ".safetensors":
            raise InputError(
                f"output must end in .safetensors, got {self.output.name!r}: a player looks for such files"
            )
        # Imported here: torch takes seconds that help and other commands need not wait for.
        from nervid.fit.distributed import ElsewhereError, joined

        try:
            with joined(self.config.device) as ranks:
                return self._learn(ranks)
        except ElsewhereError:
            if os.environ["RANK"] == "0":
                raise
            return FAILED

    def _learn(self, ranks: "Ranks") -> int:
        from nervid.meta.corpus import Corpus
        from nervid.meta.train import Interrupted, MetaProgress, meta_train

        state = self.output.with_name(self.output.name + ".partial")
        with ranks.agreed():
            if ranks.is_first:
                check_output(self.output, example="init.safetensors")
            corpus = Corpus.find(self.paths)
            held_out = self._held_out_windows() if ranks.is_first else []
        if ranks.is_first:
            counts = (_counted(len(corpus.videos), "video"), _counted(len(corpus.photographs), "photograph"))
            print_note(f"learning from {' and '.join(counts)}; the first inner rate is chosen by trying some")
            if state.is_file():
                print_note(f"found {state.name}: going on from there if videos and options are the same")
        line, latest = ProgressLine(), list[MetaProgress]()

        def show(progress: MetaProgress) -> None:
            latest[:] = [progress]
            line.update(progress.step / progress.steps, meta_words(progress))

        try:
            with (
                self._windows(corpus) as windows,
                line if ranks.is_first else nullcontext(),
                stop_on_signal(twice_kills=ranks.size == 1) as should_stop,
            ):
                with ranks.agreed():
                    windows.shot(0)  # Told on all ranks, before learning, if no video is long enough.
                learned = meta_train(
                    windows,
                    self.config,
                    corpus_key=corpus.fingerprint,
                    held_out=held_out,
                    state=state,
                    curve=self.output.with_suffix(".curve.jsonl"),
                    provenance={"sources": len(corpus), "fingerprint": corpus.fingerprint},
                    on_progress=show,
                    should_stop=should_stop,
                    save_seconds=self.save_every,
                    ranks=ranks,
                )
        except Interrupted:
            if ranks.is_first:
                _tell_skipped(corpus)
                print_note(f"stopped; the state is in {state}; run the same command to go on")
            return STOPPED
        if ranks.is_first:
            learned.save(self.output)
            state.unlink(missing_ok=True)
            _tell_skipped(corpus)
            self._print(learned, latest[0], ranks)
        return 0

    def _windows(self, corpus: "Corpus", **options: int) -> "Windows":
        from nervid.meta.windows import Windows

        size = self.config.size
        return Windows(
            corpus,
            height=size,
            width=size,
            frames=self.config.frames,
            seed=self.config.seed,
            **options,
        )

    def _held_out_windows(self) -> "list[Window]":
        from nervid.meta.corpus import Corpus

        if not self.held_out:
            return []
        corpus = Corpus.find(self.held_out)
        try:
            with self._windows(corpus, held_shots=HELD_OUT_WINDOWS) as windows:
                measured = [windows.window(number) for number in range(HELD_OUT_WINDOWS)]
        except InputError as error:
            raise InputError(f"held-out videos: {error}") from None
        _tell_skipped(corpus)
        return measured

    def _print(self, learned: "Initialization", progress: "MetaProgress", ranks: "Ranks") -> None:
        data = self.output.read_bytes()
        device = learned.provenance["config"]["device"]
        facts: dict[str, Any] = {
            "output": str(self.output),
            "size_bytes": len(data),
            "sha256": hashlib.sha256(data).hexdigest(),
            "steps": progress.steps,
            "inner_steps": self.config.inner_steps,
            "start_db": progress.start_db,
            "adapted_db": progress.adapted_db,
            "held_out_start_db": progress.held_out_start_db,
            "held_out_db": progress.held_out_db,
            "seconds": progress.seconds,
            "device": device if ranks.size == 1 else f"{ranks.size} ranks of {device}",
        }
        if self.json:
            print_json(facts)
            return
        stdout().print(_line(facts), soft_wrap=True)


def _counted(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"


def _tell_skipped(corpus: "Corpus") -> None:
    """Say in one line which files could not serve, if any."""
    skipped = corpus.skipped
    if skipped:
        first = "; ".join(f"{name}: {reason}" for name, reason in list(skipped.items())[:TOLD])
        more = f"; and {len(skipped) - TOLD} more" if len(skipped) > TOLD else ""
        print_warning(f"{len(skipped)} of {len(corpus)} files could not serve: {first}{more}")


def _line(facts: Mapping[str, Any]) -> str:
    """The result for people."""
    held_out = facts["held_out_db"] is not None
    quality = ("held_out_start_db", "held_out_db") if held_out else ("start_db", "adapted_db")
    before, after = (facts[name] for name in quality)
    return (
        f"{facts['output']}: {bytes_text(facts['size_bytes'])} ({facts['size_bytes']} bytes), "
        f"sha256 {facts['sha256'][:12]}, {'held-out' if held_out else 'training'} windows "
        f"{before:.2f} -> {after:.2f} dB in {facts['inner_steps']} steps, "
        f"{time_text(facts['seconds'])} on {facts['device']}"
    )
