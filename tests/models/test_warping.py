import torch

from nervid.models.warping import warp

PLANES = torch.randn(2, 3, 6, 8, generator=torch.Generator().manual_seed(1))


def moved(columns: float, rows: float) -> torch.Tensor:
    """The same motion everywhere, for both planes."""
    return torch.tensor([columns, rows], dtype=torch.float32).view(1, 2, 1, 1).expand(2, 2, 6, 8)


def test_no_motion_changes_nothing() -> None:
    torch.testing.assert_close(warp(PLANES, moved(0, 0)), PLANES, rtol=0, atol=1e-5)


def test_motion_is_columns_and_rows_to_go_and_the_border_goes_on() -> None:
    warped = warp(PLANES, moved(2, -1))
    torch.testing.assert_close(warped[:, :, 1:, :6], PLANES[:, :, :-1, 2:], rtol=0, atol=1e-5)
    torch.testing.assert_close(warped[:, :, 0, :6], PLANES[:, :, 0, 2:], rtol=0, atol=1e-5)
    torch.testing.assert_close(
        warped[:, :, 1:, 6:], PLANES[:, :, :-1, 7:].expand(2, 3, 5, 2), rtol=0, atol=1e-5
    )


def test_between_sites_numbers_are_those_of_the_cubic_kernel() -> None:
    # a = -0.75 half way: -3/32 and 19/32 on either side.
    warped = warp(PLANES, moved(0.5, 0))
    kernel = torch.tensor([-3, 19, 19, -3]) / 32
    expected = (PLANES.unfold(3, 4, 1) * kernel).sum(dim=-1)
    torch.testing.assert_close(warped[..., 1:6], expected, rtol=0, atol=1e-5)


def test_coarse_motion_is_that_of_the_nearest_sites_mixed() -> None:
    coarse = torch.zeros(1, 2, 1, 2)
    coarse[0, 0] = torch.tensor([0.0, 1.0])
    # Sites of the coarse plane lie at 1.5 and 5.5: a quarter of the way from one to the next for each column.
    fine = torch.tensor([0, 0, 0.125, 0.375, 0.625, 0.875, 1, 1]).expand(1, 1, 4, 8)
    planes = PLANES[:1, :, :4]
    wanted = warp(planes, torch.cat((fine, torch.zeros_like(fine)), dim=1))
    torch.testing.assert_close(warp(planes, coarse), wanted)
