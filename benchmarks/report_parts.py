"""What each JSON file under benchmarks/results shows on docs/results.md, in order."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One JSON file under benchmarks/results and how the page introduces it."""

    file: str
    title: str
    text: str = ""
    pictures: tuple[tuple[str, str], ...] = ()
    """Files in docs/images that the part shows where they are there, each with what is seen in it."""


PARTS: Final = (
    Part(
        file="engine.json",
        title="Fitting and playing on a CPU",
        text="`official` is the figure of the papers' published code.",
    ),
    Part(file="loader.json", title="Reading frames", text="How fast frames of a file come."),
    Part(
        file="latent_clips.json",
        title="Latent-INR",
        text="""Six clips, files of 0.296 bpp, recipe `quick`, one seed. `aligned` and `hnerv aligned` are the
        same fits aligned with `conse`: `cosine` of the file's vectors with the teacher's, `share` of the file
        that the alignment adds. `twice` is the PSNR of Latent-INR's frames drawn at twice the size against
        the original at that size, beside its frames enlarged by a bicubic filter; `search` the time of a
        query.""",
    ),
    Part(file="latent_large.json", title="Latent-INR at 640x360", text="Big Buck Bunny, whole frames."),
    Part(
        file="latent_rates.json",
        title="Three networks at three rates",
        text="Big Buck Bunny at 320x160, recipe `quick`, about the same time for every network.",
    ),
    Part(
        file="latent_between.json",
        title="Frames between",
        text="Every second, fourth or eighth frame of Bunny at 320x160 fitted, others from mixed latents.",
    ),
    Part(
        file="latent_speed.json",
        title="Drawing pixel by pixel and patch by patch",
        text="Networks of random weights, all in bfloat16, frames one by one.",
    ),
    Part(
        file="meta_curves.json",
        title="From learned weights",
        text="""Six held-out clips, squares from the centre, 8 frames. Fits whose schedule ends with so many
        steps, the 3 at learned rates counted in; those see all frames, steps of a recipe two. Random
        weights take up to 3 steps on all frames too, in the best of four ways, tuned on windows of the
        training videos (next table); more by the recipe. PSNR of what the float network draws, rounded:
        means over clips and seeds, `spread` the standard deviation over seeds, `least gain` that of the
        clip that gains least. Seconds are those of one thread beside another, the median.""",
        pictures=(
            ("meta_curves.png", "PSNR over steps and over seconds, from random and from learned weights"),
            (
                "meta_strip.png",
                "A frame of a held-out clip after so many steps, random above learned weights",
            ),
        ),
    ),
    Part(
        file="meta_tune.json",
        title="Few steps from random weights",
        text="""The best rate of each way to take 3 steps, on windows of the training videos; `at edge`
        where it is the first or last one that was tried. `orthogonal` and `gradient` are the directions
        that learned first steps may have, `muon` and `adam` the optimizers of the recipes `quick` and
        `hnerv`.""",
    ),
    Part(
        file="meta_converged.json",
        title="Many steps from learned weights",
        text="As above, three clips.",
    ),
    Part(
        file="meta_delta.json",
        title="Bytes from learned weights",
        text="""Files of three held-out clips, 8 frames of 128x128, decoded again: `random`, `learned`
        (`--init FILE`) and `delta` (`--init FILE --delta`). The first table has bytes at equal PSNR against
        `random` (BD-rate) and how many dB the curves share, the second the files. The initialization's own
        bytes are not counted.""",
    ),
    Part(
        file="meta_ablation.json",
        title="What meta-learning is made of",
        text="""HNeRV learned with some choices changed, each for the same few steps at 64x64 with one
        window a step, then six held-out clips fitted from it. Arms with temporal guidance see fewer frames
        at first and take less time. After more steps the order of arms may be another one.""",
    ),
    Part(
        file="meta_speed.json",
        title="Speed of meta-learning",
        text="""Learning steps at 64x64, two windows of 8 frames each, from the real videos, on all cores;
        a thousand of them are reckoned from the mean of those that were timed.""",
    ),
    Part(
        file="codec_quick.json",
        title="The codec nervid: seconds to a quality",
        text="""Big Buck Bunny at 320x160, 132 frames, whole encodings from the start to a file; `PSNR` is
        that of the file's frames. The published code of HNeRV has 30.09 dB after 600 seconds.""",
        pictures=(("codec_time.png", "PSNR over the seconds of an encoding, nervid beside HNeRV"),),
    ),
    *(
        Part(
            file=f"codec_curves_{size_class}_{preset}.json",
            title=f"The codec nervid, {size_class}, {preset}",
            text=f"""Eight clips, frames averaged over areas to about the pixels of {size_class}, by 2 or
            more, so that smaller sources have fewer. Files were played by fresh processes. An encoding
            with one thread ran beside another one, and so did the process that played it: its seconds are
            those of one core. Whatever else ran beside it made seconds and speeds worse (docs/log.md says
            where); those that are promised are measured alone. First table: bytes against those of others at
            equal PSNR (BD-rate) and how many dB the two curves share; then the files of each clip by rising
            size, with the commit that encoded them: a mean may have clips of several versions of the codec.
            HNeRV and NeRV are ours: fitted, quantized, coded.""",
            pictures=((f"codec_rd_{size_class}.png", "PSNR over rate of every clip, all codecs"),),
        )
        for size_class in ("640x360", "320x180")
        for preset in ("fast", "balanced", "best")
    ),
    Part(
        file="codec_ablation.json",
        title="The codec nervid: ablation",
        text="""One choice undone or changed at a time, at one size for each clip, 32 epochs: bytes over
        those of x265 medium at the PSNR that came out, and by how many percent that changes. Frames of
        320x180; two encodings of one thread ran side by side. One seed: another one changes a clip by 1 to
        5 %.""",
    ),
    Part(
        file="codec_encode720.json",
        title="The codec nervid: encoding 1280x720",
        text="Big Buck Bunny, 132 frames; ten minutes were asked for.",
    ),
    Part(
        file="codec_decode.json",
        title="The codec nervid: playing 1280x720",
        text="""The file of the table above in fresh processes, medians: frames a second from opening it to
        the last frame, entropy decoding included; the time to the first one.""",
    ),
    Part(
        file="codec_classical.json",
        title="Conventional codecs on the clips of nervid",
        text="""x264 and x265 medium and SVT-AV1 preset 4, one GOP, 4:2:0; bytes of the packets alone. First
        table: bytes against those of x265 at equal PSNR (BD-rate); then curves by rising size. A curve ends
        where twice the bytes gain less than 1 dB. Times were taken beside other work.""",
        pictures=tuple(
            (f"codec_rd_{size_class}.png", f"PSNR over rate of every clip, {size_class}")
            for size_class in ("640x360", "320x180")
        ),
    ),
    Part(
        file="size_promise.json",
        title="Kept sizes",
        text="A file is at most 3 % smaller than asked, never larger: `share` is its size over that asked.",
    ),
    Part(
        file="quantization.json",
        title="Bits and sparsity at one size",
        text="Networks of more or fewer weights, coded to files of one size; more in the [log](log.md).",
    ),
    Part(
        file="entropy_coders.json",
        title="Entropy coders",
        text="Bytes for the same integer tensors; the [log](log.md) says what each coder is.",
    ),
)
"""Files with a place of their own; any other file in the folder follows under its name."""
