"""What a user may choose when encoding; imports no torch, so that help stays quick."""

import re
from dataclasses import dataclass
from typing import Annotated, Literal

import tyro

from nervid.errors import InputError
from nervid.fit.recipe import PresetName, RecipeName

ModelName = Literal["nervid", "hnerv", "nerv", "latent-inr", "latent-inr-pixel"]
AlignLayout = Literal["head", "direct"]
RANDOM, META, PREVIOUS, AUTO = "random", "meta", "previous", "auto"
"""Where a fit may start, beside a named file."""
DEFAULT_BITS_PER_PIXEL = 0.1
"""Rate when none of bpp, size and psnr is given; the rate around which the papers compare."""

MOST_COMPLEXITY = 1000.0
"""Most thousands of multiply-accumulates a pixel that can be allowed."""

_SECONDS = {"s": 1, "min": 60, "h": 3600}
_UNITS = {"": 1, "B": 1, "kB": 1000, "MB": 10**6, "GB": 10**9, "KiB": 1024, "MiB": 2**20, "GiB": 2**30}


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodeConfig:
    """Choices for one encoding. At most one of ``bpp``, ``size``, ``psnr`` and ``quality`` is given."""

    bpp: Annotated[float | None, tyro.conf.arg(metavar="BITS")] = None
    """Bits per pixel of the whole file, sound included (0.1 if no dial is given)."""
    size: Annotated[str | None, tyro.conf.arg(metavar="SIZE")] = None
    """Size of the file, such as 500kB, 2MB or 64KiB: never more; 3 % less at most, or a line says why."""
    psnr: Annotated[float | None, tyro.conf.arg(metavar="DB")] = None
    """Quality to reach, mean PSNR over all frames in dB, with as few bytes as a few fits can find."""
    quality: Annotated[float | None, tyro.conf.arg(metavar="1..100")] = None
    """What a bit is worth, found in one fit: 6 more halve its price, which gains about 1 dB; only with the
    model nervid."""
    preset: PresetName = "balanced"
    """Effort, in passes over the frames: ultrafast 20, fast 64, balanced 200, best 1200, and three fifths as
    many from 480x270 pixels on, for 132 frames of 640x360 about 1, 3, 10 and 60 minutes of two cores; the
    papers' models 30, 100, 300 and 1200."""
    time: Annotated[str | None, tyro.conf.arg(metavar="TIME")] = None
    """Time that the encoding may take, such as 90s, 2min or 1h, instead of a preset; only with the model
    nervid. A file made so is not the same twice."""
    complexity: Annotated[float | None, tyro.conf.arg(metavar="KMAC")] = None
    """Most arithmetic for a pixel when playing, in thousands of multiply-accumulates (10 unless given); only
    with the model nervid."""
    model: ModelName = "nervid"
    """Representation that is fitted: nervid is ours, the others are the papers'."""
    recipe: RecipeName = "quick"
    """Loss, optimizer and schedule of the papers' models: quick is ours, nerv and hnerv are as published."""
    init: Annotated[str, tyro.conf.arg(metavar="random|meta|previous|auto|FILE")] = RANDOM
    """Weights to start from: random; meta, learned over many clips, or a FILE of such; previous, those of the
    segment before; auto, whichever of the three fits each segment best after 20 steps. previous and auto fit
    segments one after the other, on one device. For the models hnerv and nerv; latent-inr knows random,
    nervid random, previous and a FILE: the .nerv file of a video that looks alike."""
    delta: bool = False
    """Store weights as changes from those of --init meta or FILE (with auto: meta), which a player then
    needs too."""
    align: Annotated[str | None, tyro.conf.arg(metavar="TEACHER")] = None
    """Make the file searchable: align its embeddings to conse, a CLIP or SigLIP of a hub, or a folder with
    one; not with the model nerv."""
    align_layout: AlignLayout = "head"
    """How vectors are stored: head maps a few numbers of each embedding; direct makes latents of latent-inr
    the vectors themselves, as its paper does."""
    optimizer: Literal["auto", "adam", "muon"] = "auto"
    """What moves the kernels; auto is the recipe's: muon for quick, adam for the published ones."""
    epochs: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Passes over the frames instead of the preset's."""
    bits: Annotated[int, tyro.conf.arg(metavar="N")] = 6
    """Bits per weight of the papers' models before entropy coding, 2 to 8; more where these leave the asked
    size unused."""
    sparsity: Annotated[float, tyro.conf.arg(metavar="SHARE")] = 0.0
    """Share of the papers' models' weights pruned to zero, in [0, 1)."""
    max_segment_frames: Annotated[int, tyro.conf.arg(metavar="N")] = 240
    """Most frames that share a network; memory holds one such segment per device."""
    seed: Annotated[int, tyro.conf.arg(metavar="N")] = 1
    """Same seed, clip, options and machine: same file, byte for byte."""
    device: Annotated[str, tyro.conf.arg(metavar="DEVICE")] = "auto"
    """Where to fit: cpu, cuda:1, or several such as cuda:0,cuda:1, each one segment at a time; cuda is every
    CUDA device, auto the same or, without one, the CPU."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Type of the convolutions while fitting; auto takes bfloat16 where the hardware has it."""
    compile: bool = False
    """Compile the networks before fitting (torch.compile): meant for CUDA, not measured there; on a CPU it
    loses."""

    def __post_init__(self) -> None:
        dials = [name for name in ("bpp", "size", "psnr", "quality") if getattr(self, name) is not None]
        if len(dials) > 1:
            raise InputError(
                f"one of bpp, size, psnr and quality can be asked for, got {' and '.join(dials)}"
            )
        if self.quality is not None and not 1 <= self.quality <= 100:
            raise InputError(f"quality must be 1 to 100, got {self.quality:g}")
        if self.quality is not None and self.model != "nervid":
            raise InputError(f"quality is for the model nervid, got {self.model}; use psnr, bpp or size")
        if self.complexity is not None and not 0 < self.complexity <= MOST_COMPLEXITY:
            raise InputError(
                f"complexity must be above 0 and at most {MOST_COMPLEXITY:g}, got {self.complexity:g}"
            )
        if self.complexity is not None and self.model != "nervid":
            raise InputError(f"complexity is for the model nervid, got {self.model}; omit it")
        for name in ("bpp", "psnr"):
            value = getattr(self, name)
            if value is not None and not 0 < value < 1000:
                raise InputError(f"{name} must be above 0 and below 1000, got {value:g}")
        if self.size is not None:
            parse_size(self.size)
        if self.time is not None:
            parse_time(self.time)
            if self.model != "nervid" or self.psnr is not None:
                raise InputError(
                    f"time is for the model nervid with bpp, size or quality, got model {self.model}"
                    f"{' and psnr' if self.psnr is not None else ''}; use preset or epochs"
                )
            if self.epochs is not None:
                raise InputError("one of time and epochs can be asked for, got both")
        if self.model == "nervid":
            for name, default in (("recipe", "quick"), ("bits", 6), ("sparsity", 0.0)):
                if getattr(self, name) != default:
                    raise InputError(
                        f"{name} is not for the model nervid, which finds bits and zeros itself; omit it, or "
                        "add the model hnerv"
                    )
        if self.model.startswith("latent-inr") and self.init != RANDOM:
            raise InputError(
                f"init {self.init} is for the models hnerv and nerv, got {self.model}; use init random, or "
                "add the model hnerv"
            )
        if self.model == "nervid" and (self.delta or self.init in (META, AUTO)):
            choice, cure = f"init {self.init}", "use init random, previous or a .nerv file"
            if self.delta:
                choice, cure = "delta", "omit it"
            raise InputError(
                f"{choice} is for the models hnerv and nerv, got nervid; {cure}, or add the model hnerv"
            )
        if self.delta and self.init in (RANDOM, PREVIOUS):
            raise InputError(
                f"delta stores changes from an initialization, got init {self.init}; use init meta, auto or "
                "a file"
            )
        if self.align is not None and self.model == "nerv":
            raise InputError(
                "align needs an embedding or a latent of each frame in the file, which model nerv has not; "
                "use the model hnerv, nervid or latent-inr"
            )
        if self.align_layout == "direct" and self.align is None:
            raise InputError("align_layout direct needs a teacher, got none; name one with align")
        if self.align_layout == "direct" and not self.model.startswith("latent-inr"):
            raise InputError(
                f"align_layout direct is for the model latent-inr, got {self.model}; use the layout head"
            )
        if self.epochs is not None and self.epochs < 1:
            raise InputError(f"epochs must be at least 1, got {self.epochs}")
        if not 2 <= self.bits <= 8:
            raise InputError(f"bits must be 2 to 8, got {self.bits}")
        if not 0 <= self.sparsity < 1:
            raise InputError(f"sparsity must be in [0, 1), got {self.sparsity:g}")
        if self.max_segment_frames < 1:
            raise InputError(f"max_segment_frames must be at least 1, got {self.max_segment_frames}")
        if not 0 <= self.seed < 2**63:
            raise InputError(f"seed must be 0 to 2**63 - 1, got {self.seed}")

    @property
    def follows_previous(self) -> bool:
        """Whether a segment may start from the one before, so that they are fitted in order."""
        return self.init in (PREVIOUS, AUTO)

    def target_bytes(self, pixels: int) -> int | None:
        """Return the size that the file may have, in bytes, or None when psnr or quality was asked for.

        Args:
            pixels: frames * height * width.
        """
        if self.psnr is not None or self.quality is not None:
            return None
        if self.size is not None:
            return parse_size(self.size)
        return int((self.bpp or DEFAULT_BITS_PER_PIXEL) * pixels / 8)


def parse_size(text: str) -> int:
    """Return the bytes that ``text`` names: a number and B, kB, MB, GB (1000s) or KiB, MiB, GiB (1024s).

    Raises:
        InputError: If it is anything else, or below one byte.

    Example:
        >>> parse_size("500kB"), parse_size("1.5 MiB")
        (500000, 1572864)
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d*)?)\s*([A-Za-z]*)\s*", text)
    units = {unit.lower(): factor for unit, factor in _UNITS.items()}
    if match is None or match[2].lower() not in units:
        raise InputError(f"size must be a number with a unit, such as 500kB or 2MB, got {text!r}")
    size = int(float(match[1]) * units[match[2].lower()])
    if size < 1:
        raise InputError(f"size must be at least 1 byte, got {text!r}")
    return size


def parse_time(text: str) -> float:
    """Return the seconds that ``text`` names: a number and s, min or h.

    Raises:
        InputError: If it is anything else, below one second or above 1000 hours.

    Example:
        >>> parse_time("90s"), parse_time("1.5 min")
        (90.0, 90.0)
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d*)?)\s*([a-z]*)\s*", text)
    if match is None or match[2] not in _SECONDS:
        raise InputError(f"time must be a number with a unit, such as 90s, 2min or 1h, got {text!r}")
    seconds = float(match[1]) * _SECONDS[match[2]]
    if not 1 <= seconds <= 3_600_000:
        raise InputError(f"time must be 1 second to 1000 hours, got {text!r}")
    return seconds
