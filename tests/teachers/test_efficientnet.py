"""The classifier has the published architecture and takes over published weights."""

import pytest
import torch
from torch import nn

from nervid.errors import InputError
from nervid.teachers.efficientnet import ConvolutionNorm, EfficientNetLite, Stage

TINY = (Stage(1, 3, 1, 1, 8), Stage(2, 5, 2, 6, 16))


def published(network: nn.Module) -> dict[str, torch.Tensor]:
    """The state dict under the names of efficientnet-lite-pytorch, written out for ``TINY``."""
    blocks = {
        f"blocks.{number}.{own}": f"_blocks.{number}.{theirs}"
        for number in range(3)
        for own, theirs in {
            "expand.convolution": "_expand_conv",
            "expand.norm": "_bn0",
            "filter.convolution": "_depthwise_conv",
            "filter.norm": "_bn1",
            "project.convolution": "_project_conv",
            "project.norm": "_bn2",
        }.items()
    }
    names = {
        "stem.convolution": "_conv_stem",
        "stem.norm": "_bn0",
        "head.convolution": "_conv_head",
        "head.norm": "_bn1",
        "classify": "_fc",
        **blocks,
    }
    state = network.state_dict()
    return {f"{names[key.rpartition('.')[0]]}.{key.rpartition('.')[2]}": state[key] for key in state}


def tiny(seed: int) -> EfficientNetLite:
    torch.manual_seed(seed)
    network = EfficientNetLite(TINY, stem=8, head=12, labels=7).eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None
            nn.init.normal_(module.running_mean)
            nn.init.uniform_(module.weight, 0.5, 1.5)
    return network


def test_lite2_has_the_published_number_of_parameters() -> None:
    # Table of TensorFlow's efficientnet/lite: 6.1 M; exactly, by the state dict that the package holds.
    assert sum(p.numel() for p in EfficientNetLite().parameters()) == 6_092_072


def test_published_weights_give_the_network_they_came_from() -> None:
    pixels = torch.rand(2, 3, 32, 32) * 2 - 1
    source, target = tiny(0), tiny(1)
    with torch.no_grad():
        assert not torch.allclose(source(pixels), target(pixels))
        target.load_published(published(source))
        assert torch.equal(source(pixels), target(pixels))


def test_weights_of_another_network_are_one_line() -> None:
    weights = published(tiny(0))
    weights["_fc.extra"] = weights.pop("_fc.bias")
    with pytest.raises(InputError, match=r"not those of this EfficientNet-lite: .*classify.bias") as caught:
        tiny(1).load_published(weights)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "before"), [(6, 3, 2, 0), (5, 3, 2, 1), (5, 5, 2, 2), (6, 3, 1, 1)]
)
def test_padding_is_tensorflows(size: int, kernel: int, stride: int, before: int) -> None:
    layer = ConvolutionNorm(1, 1, kernel=kernel, stride=stride).eval()
    pixels = torch.arange(1.0, size * size + 1).view(1, 1, size, size)
    with torch.no_grad():
        # Only the tap after the padding counts: the layer picks every stride-th pixel, the first included.
        layer.convolution.weight.zero_()[0, 0, before, before] = 1
        values = layer(pixels)
    assert torch.allclose(values, pixels[:, :, ::stride, ::stride] / 1.001**0.5)


def test_a_block_adds_its_input_only_where_the_shapes_agree() -> None:
    network = EfficientNetLite()
    residual = [index for index, block in enumerate(network.blocks) if block.is_residual]
    # All but the first block of each stage: stages have 1, 3, 3, 4, 4, 5 and 1 blocks.
    assert residual == [2, 3, 5, 6, 8, 9, 10, 12, 13, 14, 16, 17, 18, 19]
