import math

import pytest
import torch

from nervid.fit.rd.relaxation import LEAST_SCALE, Noise, bits_and_slope, laplace_bits, soft_round


@pytest.mark.parametrize("scale", [0.05, 0.3, 1.0, 7.5])
def test_probabilities_of_all_integers_add_up_to_one(scale: float) -> None:
    codes = torch.arange(-400, 401, dtype=torch.float64)
    bits = laplace_bits(codes, torch.tensor(scale, dtype=torch.float64))
    kept = bits < 29  # below 1e-9 a probability is not reckoned
    assert float((2 ** -bits[kept]).sum()) == pytest.approx(1, abs=1e-6)


def test_bits_are_those_of_the_laplace_distribution() -> None:
    # Mean magnitude 1: P(0) = 1 - exp(-1/2), P(2) = exp(-3/2) (1 - exp(-1)) / 2.
    bits = laplace_bits(torch.tensor([0.0, 2.0, -2.0]), torch.tensor(1.0))
    zero = -math.log2(1 - math.exp(-0.5))
    two = -math.log2(math.exp(-1.5) * (1 - math.exp(-1)) / 2)
    torch.testing.assert_close(bits, torch.tensor([zero, two, two]))


def test_bits_are_continuous_where_the_formula_changes() -> None:
    below, above = laplace_bits(torch.tensor([0.4999, 0.5001]), torch.tensor(0.7)).tolist()
    assert above - below == pytest.approx(0.0002 / 0.7 / math.log(2), rel=0.5)


def test_a_scale_of_zero_counts_as_the_least_one() -> None:
    codes = torch.tensor([0.0, 1.0])
    torch.testing.assert_close(
        laplace_bits(codes, torch.tensor(0.0)), laplace_bits(codes, torch.tensor(LEAST_SCALE))
    )


def test_larger_numbers_cost_more_and_the_gradient_says_so() -> None:
    codes = torch.tensor([-3.0, -0.2, 0.2, 3.0], requires_grad=True)
    laplace_bits(codes, torch.tensor(1.0)).sum().backward()  # type: ignore[no-untyped-call]
    assert codes.grad is not None
    assert codes.grad.sign().tolist() == [-1, -1, 1, 1]
    assert float(codes.grad[3]) == pytest.approx(1 / math.log(2))  # far out: 1 / (b ln 2) bits a step


@pytest.mark.parametrize("scale", [0.01, 0.3, 1.0, 7.5])
def test_the_slope_by_hand_is_that_of_automatic_differentiation(scale: float) -> None:
    codes = torch.cat([torch.linspace(-9, 9, 601), torch.tensor([0.0])]).requires_grad_(True)
    expected = laplace_bits(codes, torch.tensor(scale))
    expected.sum().backward()  # type: ignore[no-untyped-call]
    bits, slope = bits_and_slope(codes.detach(), torch.tensor(scale))
    torch.testing.assert_close(bits, expected.detach())
    torch.testing.assert_close(slope, codes.grad, rtol=1e-4, atol=1e-4)


def test_noise_is_uniform_over_one_step_and_the_same_for_the_same_seed() -> None:
    one, same, other = (Noise(10_000, seed=seed, device=torch.device("cpu")) for seed in (3, 3, 4))
    noise = one.at(5, 10_000)
    assert len(noise) == 10_000
    assert float(noise.min()) >= -0.5
    assert float(noise.max()) <= 0.5
    assert float(noise.var()) == pytest.approx(1 / 12, rel=0.05)
    assert torch.equal(noise, same.at(5, 10_000))
    assert not torch.equal(noise, one.at(6, 10_000))
    assert not torch.equal(noise, other.at(5, 10_000))


@pytest.mark.parametrize("soft", [0.1, 0.4, 3.0])
def test_soft_rounding_keeps_integers_and_what_lies_half_way(soft: float) -> None:
    kept = torch.arange(-6, 7, dtype=torch.float64) / 2
    torch.testing.assert_close(soft_round(kept, soft)[0], kept)


def test_the_less_softness_the_nearer_to_rounding() -> None:
    codes = torch.tensor([-1.7, -0.2, 0.3, 2.4], dtype=torch.float64)
    # 0.3: 0.5 + tanh(-0.2 / 0.5) / (2 tanh(1)).
    assert float(soft_round(codes, 0.5)[0][2]) == pytest.approx(0.5 - math.tanh(0.4) / (2 * math.tanh(1.0)))
    torch.testing.assert_close(soft_round(codes, 0.02)[0], codes.round(), atol=1e-3, rtol=0)
    torch.testing.assert_close(soft_round(codes, 50.0)[0], codes, atol=1e-3, rtol=0)


def test_its_slopes_are_those_of_differences() -> None:
    codes, nudge = torch.linspace(-2.03, 2.03, 50, dtype=torch.float64), 1e-6
    ahead, behind = soft_round(codes + nudge, 0.3)[0], soft_round(codes - nudge, 0.3)[0]
    torch.testing.assert_close(
        soft_round(codes, 0.3)[1], (ahead - behind) / (2 * nudge), rtol=1e-5, atol=1e-6
    )
