"""What a stored clip costs in bits, and how two rate-distortion curves compare; needs no torch."""

import math
from collections.abc import Sequence

from nervid.errors import InputError, MissingExtraError

BD_RATE_MIN_POINTS = 4
"""Fewest points per curve for a BD-rate, the number in the original proposal."""


def bits_per_pixel(size_bytes: int, frames: int, height: int, width: int) -> float:
    """Spread the bits of a file evenly over the pixels of its clip.

        bpp = 8 * size_bytes / (frames * height * width)

    Args:
        size_bytes: Bytes of the whole file, headers included.
        frames: Number of frames, at least 1.
        height: Rows of a frame, at least 1.
        width: Columns of a frame, at least 1.

    Returns:
        Bits per pixel, where a pixel is one site with all its channels.

    Raises:
        InputError: If a dimension is below 1 or the size is negative.

    Example:
        >>> bits_per_pixel(1_000, frames=10, height=20, width=40)
        1.0
    """
    if min(frames, height, width) < 1 or size_bytes < 0:
        raise InputError(
            f"bits per pixel need at least 1 frame, row and column and a size of 0 bytes or more, "
            f"got {frames} frames of {width}x{height} in {size_bytes} bytes"
        )
    return 8 * size_bytes / (frames * height * width)


def rate_warning(bits_per_pixel: float, source_bits_per_pixel: float | None) -> str | None:
    """Warn when a rate is above what the source file itself spends.

    Args:
        bits_per_pixel: Rate asked for or measured.
        source_bits_per_pixel: Rate of the source's own video stream; None when the source is not a
            compressed video (an array, a folder of images) and no comparison is possible.

    Returns:
        One line without a trailing period, or None when there is nothing to warn about.

    Example:
        >>> rate_warning(0.1, 0.0523)
        '0.1 bpp is more than the 0.0523 bpp of the source file itself'
        >>> rate_warning(0.05, 0.0523) is None
        True
    """
    if source_bits_per_pixel is None or bits_per_pixel <= source_bits_per_pixel:
        return None
    return (
        f"{bits_per_pixel:.3g} bpp is more than the {source_bits_per_pixel:.3g} bpp of the source file itself"
    )


def bd_rate(
    rates_anchor: Sequence[float],
    psnr_anchor: Sequence[float],
    rates_test: Sequence[float],
    psnr_test: Sequence[float],
) -> float:
    """Average the rate difference between two curves over the PSNR they share.

    Both curves are interpolated as log10(rate) over PSNR by piecewise cubic Hermite polynomials and
    integrated over the common interval; the mean difference ``d`` is returned as ``(10**d - 1) * 100``.
    The order of the points does not matter.

    Args:
        rates_anchor: Rates of the codec compared against, above 0, any unit.
        psnr_anchor: Its PSNR values in dB, finite, no two equal.
        rates_test: Rates of the codec under test, in the same unit.
        psnr_test: Its PSNR values in dB, finite, no two equal.

    Returns:
        Percent; -50 means the tested codec needs half the anchor's rate for the same PSNR.

    Raises:
        InputError: If a curve has fewer than ``BD_RATE_MIN_POINTS`` usable points, or the curves share no
            PSNR interval.
        MissingExtraError: If the bjontegaard package is not installed.

    Source:
        Bjontegaard, VCEG-M33, 2001. The piecewise cubic ("pchip") interpolation is the one of the JCT-VC
        common test conditions; the original proposal fits one cubic through four points instead.
    """
    anchor = _curve(rates_anchor, psnr_anchor, "anchor")
    test = _curve(rates_test, psnr_test, "test")
    if max(anchor[0][0], test[0][0]) >= min(anchor[-1][0], test[-1][0]):
        raise InputError(
            f"BD-rate needs curves that overlap in PSNR, got {anchor[0][0]:.2f} to {anchor[-1][0]:.2f} dB "
            f"and {test[0][0]:.2f} to {test[-1][0]:.2f} dB; add points between them"
        )
    try:
        import bjontegaard  # deferred: optional, and it pulls in scipy
    except ImportError as error:
        raise MissingExtraError("BD-rate", "compare") from error
    percent = bjontegaard.bd_rate(
        [rate for _, rate in anchor],
        [decibels for decibels, _ in anchor],
        [rate for _, rate in test],
        [decibels for decibels, _ in test],
        method="pchip",
        require_matching_points=False,
        min_overlap=0,
    )
    return float(percent)


def _curve(rates: Sequence[float], psnr_db: Sequence[float], name: str) -> list[tuple[float, float]]:
    """(PSNR, rate) pairs by rising PSNR."""
    if len(rates) != len(psnr_db):
        raise InputError(f"the {name} curve has {len(rates)} rates and {len(psnr_db)} PSNR values; pair them")
    points = sorted(zip(psnr_db, rates, strict=True))
    usable = {decibels for decibels, rate in points if math.isfinite(decibels) and 0 < rate < math.inf}
    if len(usable) < len(points):
        raise InputError(
            f"the {name} curve needs finite PSNR values that all differ and rates above 0, got {points}"
        )
    if len(points) < BD_RATE_MIN_POINTS:
        raise InputError(
            f"BD-rate needs {BD_RATE_MIN_POINTS} points per curve, the {name} curve has {len(points)}; "
            "encode at more rates"
        )
    return points
