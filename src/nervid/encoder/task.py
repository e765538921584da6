"""What is to be done for one segment of a clip."""

from dataclasses import dataclass

from nervid.compress.feature_sections import join_latents
from nervid.encoder.config import EncodeConfig
from nervid.encoder.job import CodedSegment
from nervid.fit.alignment import Alignment
from nervid.initializations import Initialization
from nervid.models.config import ModelConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviousSegment:
    """The segment before, as it is stored: what a later one may start from."""

    coded: CodedSegment
    frames: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentTask:
    """What is to be done for one segment: all that decides its bytes, beside its frames and the machine.

    Nothing in it but ``previous`` comes from another segment's result: without it, segments may be finished
    in any order.
    """

    number: int
    """Which segment, from 0."""
    frames: int
    """Its frames."""
    height: int
    width: int
    config: EncodeConfig
    """All choices."""
    budget_bytes: float | None
    """Bytes for its three sections, or None where ``config`` asks for psnr or quality."""
    alignment: Alignment | None = None
    """What its embeddings are pulled towards."""
    least_numbers: int = 1
    """Fewest numbers in a frame's embedding, or those in its latent, if there are latents."""
    latents: bytes = b""
    """Its frames' latents, coded: what an aligned file has of them where they have no embeddings."""
    initialization: Initialization | None = None
    """Learned weights that it may start from; its network is then one that they can be carried over to."""
    time_limit_seconds: float | None = None
    """Time for its fit, or None for the preset's number of steps."""
    previous: PreviousSegment | None = None
    """The segment before, where it may start from that one, and there is one."""

    @property
    def name(self) -> str:
        """What the work folder calls it."""
        return f"segment{self.number:05d}"

    @property
    def like(self) -> ModelConfig | None:
        """The network whose strides and windows its own must have, or None for a free choice."""
        return None if self.initialization is None else self.initialization.config

    @property
    def latents_bytes(self) -> int:
        """What its latents take of its three sections."""
        return len(join_latents(self.latents, b""))

    @property
    def stored_from(self) -> Initialization | None:
        """The initialization from which its weights are stored as changes, or None."""
        return self.initialization if self.config.delta else None
