import math

import numpy as np
import pytest
import torch
from scipy import ndimage, stats

from optbench.checks import UsageError
from optbench.data.augmentation import AUGMENTATIONS, Augmentation
from optbench.data.augmentation.changes import blur, colour, cutout, flip
from optbench.data.augmentation.mixtures import beta_quantiles
from optbench.data.augmentation.motions import at_rest, moved, rotate, translate, zoom

STRENGTHS = {
    "rotate": 25,
    "zoom": 0.3,
    "translate": 2.5,
    "flip": 0.5,
    "crop": 2,
    "blur": 1.2,
    "colour": 0.6,
    "noise": 0.2,
    "cutout": 3,
    "mixup": 0.4,
}
every_augmentation = pytest.mark.parametrize("name", AUGMENTATIONS)


def images(trials, batch=5, channels=3, height=9, width=7, dtype=torch.float64):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(trials, batch, channels, height, width, generator=generator, dtype=torch.float64).to(dtype)


def labels(trials, batch=5):
    return torch.arange(trials * batch).view(trials, batch) % 4


def augmented(strengths, x, y=None, seeds=None, step=3, rows=None):
    y = labels(*x.shape[:2]) if y is None else y
    return Augmentation(strengths, seeds or range(len(x)), classes=4).at(x, y, step, rows)


def fixed(*numbers):
    """A draw of the same numbers for every sample."""
    return lambda count: torch.tensor(numbers, dtype=torch.float64).repeat(count // len(numbers))[None]


def test_every_augmentation_is_tried_here():
    assert set(STRENGTHS) == set(AUGMENTATIONS)


# ---------------------------------------------------------------------- what holds for all


@every_augmentation
def test_strength_zero_changes_nothing(name):
    x, y = images(2), labels(2)
    out, targets = augmented({name: 0}, x, y)
    assert torch.equal(out, x)
    assert torch.equal(targets, y)


@every_augmentation
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_samples_change_in_a_copy_of_the_same_shape_and_type(name, dtype):
    x, y = images(3, dtype=dtype), labels(3)
    before = x.clone()
    out, targets = augmented({name: STRENGTHS[name]}, x, y)
    assert (out.shape, out.dtype) == (x.shape, dtype)
    assert not torch.equal(out, x)
    assert torch.equal(x, before)
    if name != "mixup":
        assert torch.equal(targets, y)


@pytest.mark.parametrize("strengths", [*({name: STRENGTHS[name]} for name in AUGMENTATIONS), STRENGTHS], ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("shape", [(3, 9, 7), (1, 8, 8)])
def test_a_trials_samples_do_not_depend_on_its_company(strengths, dtype, shape):
    x, y = images(11, 5, *shape, dtype=dtype), labels(11)
    whole = augmented(strengths, x, y)
    for rows in (slice(0, 2), slice(3, 11), slice(10, 11)):
        alone = augmented(strengths, x[rows].clone(), y[rows], seeds=range(11)[rows])
        chosen = Augmentation(strengths, range(11), classes=4).at(x[rows], y[rows], 3, torch.arange(11)[rows])
        for expected, one, other in zip(whole, alone, chosen, strict=True):
            assert torch.equal(one, other)
            if rows.stop - rows.start > 1:
                assert torch.equal(one, expected[rows])
            else:
                torch.testing.assert_close(one, expected[rows])


@every_augmentation
def test_samples_trials_and_steps_have_draws_of_their_own(name):
    x = images(1, 1).expand(3, 40, -1, -1, -1)
    if name == "mixup":
        x = images(1, 40).expand(3, -1, -1, -1, -1)
    now, later = (augmented({name: STRENGTHS[name]}, x, seeds=[7, 8, 7], step=step)[0] for step in (3, 4))
    assert torch.equal(now[0], now[2])
    assert not torch.equal(now[0], now[1])
    assert not torch.equal(now[0], later[0])
    assert len(now[0].flatten(1).unique(dim=0)) > 1


@pytest.mark.parametrize("name", [name for name in AUGMENTATIONS if name != "mixup"])
def test_a_samples_change_does_not_depend_on_the_size_of_the_batch(name):
    x = images(2, 8)
    torch.testing.assert_close(
        augmented({name: STRENGTHS[name]}, x[:, :3])[0], augmented({name: STRENGTHS[name]}, x)[0][:, :3]
    )


def test_a_batch_that_all_trials_share_need_not_be_copied():
    x = images(1).float().expand(4, -1, -1, -1, -1)
    for shared, copied in zip(augmented(STRENGTHS, x), augmented(STRENGTHS, x.contiguous()), strict=True):
        assert torch.equal(shared, copied)


def test_the_order_of_the_table_holds_whatever_the_order_of_the_mapping():
    backwards = dict(reversed(STRENGTHS.items()))
    for one, other in zip(augmented(STRENGTHS, images(2)), augmented(backwards, images(2)), strict=True):
        assert torch.equal(one, other)


# ---------------------------------------------------------------------- motions, against scipy


def motion_of(x, degrees=0.0, change=0.0, pixels=0.0, right=1.0, down=1.0):
    """The largest rotation and zoom, and this part of the largest shift."""
    motion = rotate(at_rest(1, 1, x.device), degrees, fixed(1.0))
    motion = zoom(motion, change, fixed(1.0))
    return translate(motion, pixels, fixed((1 + right) / 2, (1 + down) / 2))


def by_scipy(function, x, *args, **kwargs):
    return torch.tensor(
        np.stack([function(plane, *args, order=1, mode="reflect", **kwargs) for plane in x[0, 0].numpy()])
    )


@pytest.mark.parametrize("degrees", [10, 45, 90, 130, 180])
def test_rotation_is_scipys(degrees):
    x = images(1, 1)
    expected = by_scipy(ndimage.rotate, x, degrees, reshape=False)
    torch.testing.assert_close(moved(x, motion_of(x, degrees=degrees))[0, 0], expected)


def test_a_quarter_turn_is_counter_clockwise():
    x = images(1, 1, 1, 6, 6)
    torch.testing.assert_close(moved(x, motion_of(x, degrees=90)), torch.rot90(x, 1, (3, 4)))


def test_two_rotations_add_their_angles():
    once, twice = rotate(at_rest(1, 1, torch.device("cpu")), 50, fixed(1.0)), at_rest(1, 1, torch.device("cpu"))
    for degrees in (20, 30):
        twice = rotate(twice, degrees, fixed(1.0))
    for one, other in zip(once, twice, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize(("right", "down"), [(1.0, 0.0), (0.0, 1.0), (-0.3, 0.55)])
def test_translation_is_scipys_shift(right, down):
    x = images(1, 1)
    expected = by_scipy(ndimage.shift, x, (2 * down, 2 * right))
    torch.testing.assert_close(moved(x, motion_of(x, pixels=2, right=right, down=down))[0, 0], expected)


def test_zoom_magnifies_about_the_middle_as_scipys_affine_transform():
    x = images(1, 1)
    middle = (np.array(x.shape[3:]) - 1) / 2
    for change in (0.5, -0.4):
        scale = np.eye(2) / (1 + change)
        expected = by_scipy(ndimage.affine_transform, x, scale, middle - scale @ middle)
        torch.testing.assert_close(moved(x, motion_of(x, change=change))[0, 0], expected)


def test_motions_together_are_one_interpolation_of_rotation_then_zoom_then_shift():
    x = images(1, 1)
    angle, factor, shift = math.radians(20), 1.3, np.array([0.7, -1.1])  # down, right
    back = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]]) / factor
    middle = (np.array(x.shape[3:]) - 1) / 2
    expected = by_scipy(ndimage.affine_transform, x, back, middle - back @ (middle + shift))
    found = moved(x, motion_of(x, degrees=20, change=0.3, pixels=1, right=-1.1, down=0.7))
    torch.testing.assert_close(found[0, 0], expected)


def test_angles_factors_and_shifts_are_uniform_up_to_their_largest():
    draw = torch.Generator().manual_seed(0)
    still = at_rest(1, 4000, torch.device("cpu"))

    def uniform(count):
        return torch.rand(1, count, generator=draw, dtype=torch.float64)

    turned, zoomed, shifted = rotate(still, 30, uniform), zoom(still, 0.2, uniform), translate(still, 3, uniform)
    for values, most in (
        (torch.atan2(turned.b, turned.a).rad2deg(), 30),
        (1 / zoomed.a - 1, 0.2),
        (shifted.right, 3),
        (shifted.down, 3),
    ):
        assert stats.kstest(values[0], stats.uniform(-most, 2 * most).cdf).pvalue > 1e-4
    assert stats.pearsonr(shifted.right[0], shifted.down[0]).pvalue > 1e-4


# ---------------------------------------------------------------------- changes


def test_a_flip_exchanges_left_and_right():
    x = images(2)
    assert np.array_equal(flip(x, 1.0, lambda count: torch.full((2, count), 0.5)).numpy(), x.numpy()[..., ::-1])


def test_the_stated_share_of_samples_is_flipped():
    x = images(20, 200, 1, 1, 2)
    out, _ = augmented({"flip": 0.3}, x)
    flipped = (out == x.flip(-1)).flatten(2).all(dim=2)
    kept = (out == x).flatten(2).all(dim=2)
    assert (flipped ^ kept).all()
    assert flipped.double().mean().item() == pytest.approx(0.3, abs=4 * math.sqrt(0.3 * 0.7 / 4000))


@pytest.mark.parametrize("pixels", [1, 3, 6])
def test_a_crop_is_a_piece_of_the_mirrored_image_each_equally_likely(pixels):
    x = images(1, 1).expand(1, 2000, -1, -1, -1)
    out, _ = augmented({"crop": pixels}, x)
    margin = np.pad(x[0, 0].numpy(), [(0, 0), (pixels, pixels), (pixels, pixels)], mode="symmetric")
    places = [(i, j) for i in range(2 * pixels + 1) for j in range(2 * pixels + 1)]
    pieces = {margin[:, i : i + 9, j : j + 7].tobytes(): k for k, (i, j) in enumerate(places)}
    counts = np.bincount([pieces[sample.numpy().tobytes()] for sample in out[0]], minlength=len(places))
    assert stats.chisquare(counts).pvalue > 1e-4


@pytest.mark.parametrize("share", [1e-9, 0.05, 0.4, 0.999])
def test_blur_is_scipys_gaussian_filter(share):
    x = images(1, 2)
    out = blur(x, 1.5, fixed(share))
    for sample, plain in zip(out[0], x[0].numpy(), strict=True):
        filtered = ndimage.gaussian_filter(plain, 1.5 * share, mode="nearest", axes=(1, 2), radius=6)
        torch.testing.assert_close(sample, torch.tensor(filtered))


def test_colour_moves_contrast_saturation_and_brightness_by_their_formulas():
    x = images(1, 4)
    nothing = 0.5
    mean = x.flatten(2).mean(dim=2)
    contrast = colour(x, 0.4, fixed(1.0, nothing, nothing)).flatten(2)
    torch.testing.assert_close(contrast.mean(dim=2), mean)
    torch.testing.assert_close(contrast.std(dim=2), 1.4 * x.flatten(2).std(dim=2))
    grey = colour(x, 1.0, fixed(nothing, 0.0, nothing))
    torch.testing.assert_close(grey, x.mean(dim=2, keepdim=True).expand_as(x))
    torch.testing.assert_close(colour(x, 0.4, fixed(nothing, nothing, 0.0)), x - 0.4)
    single = images(1, 4, channels=1)
    torch.testing.assert_close(colour(single, 1.0, fixed(nothing, 0.1, nothing)), single)


def test_noise_is_normal_with_the_stated_deviation_for_inputs_of_any_shape():
    for shape in ((3, 50, 40), (3, 5, 20, 20)):
        x = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
        added = (augmented({"noise": 0.3}, x)[0] - x).flatten()
        assert stats.kstest(added, stats.norm(0, 0.3).cdf).pvalue > 1e-4


@pytest.mark.parametrize(("side", "u"), [(3, (0.5, 0.5)), (4, (0.0, 0.99)), (7, (0.99, 0.2)), (1, (0.3, 0.7))])
def test_cutout_sets_one_square_to_zero_and_nothing_else(side, u):
    x = images(1, 1)
    expected = x[0, 0].numpy().copy()
    top, left = (int(share * size) - side // 2 for share, size in zip(u, x.shape[3:], strict=True))
    expected[:, max(0, top) : max(0, top + side), max(0, left) : max(0, left + side)] = 0
    assert np.array_equal(cutout(x, side, fixed(*u))[0, 0].numpy(), expected)


def test_the_middle_of_a_cutout_is_any_pixel_equally_often():
    x = images(1, 1, 1, 5, 4).expand(1, 4000, -1, -1, -1)
    holes = (augmented({"cutout": 1}, x)[0] == 0).flatten(2)
    assert (holes.sum(dim=2) == 1).all()
    assert stats.chisquare(holes.sum(dim=(0, 1))).pvalue > 1e-4


# ---------------------------------------------------------------------- mixup


def weights_of(alpha, trials, batch, step=0):
    """How much of each sample every mixed one holds: the mixture of the unit vectors."""
    x = torch.eye(batch, dtype=torch.float64).expand(trials, -1, -1)
    return augmented({"mixup": alpha}, x, labels(trials, batch), step=step)


def test_mixup_mixes_inputs_and_labels_alike_by_one_share_and_one_permutation():
    weights, targets = weights_of(1.0, 6, 9)
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(6, 9, dtype=torch.float64))
    torch.testing.assert_close(weights.sum(dim=2), torch.ones(6, 9, dtype=torch.float64))
    for trial, kept in zip(weights, weights.diagonal(dim1=1, dim2=2), strict=True):
        share = kept.min()  # 1 where a sample is its own partner
        off = trial[~torch.eye(9, dtype=torch.bool)]
        torch.testing.assert_close(off[off > 0], (1 - share).expand(int((off > 0).sum())))
        assert ((off > 0).sum() + (kept > share).sum()).item() == 9
    known = torch.nn.functional.one_hot(labels(6, 9), 4).double()
    torch.testing.assert_close(targets, weights @ known)


def test_every_sample_is_equally_likely_to_be_the_partner():
    weights, _ = weights_of(1.0, 3000, 5)
    first = weights[:, 0]
    partner = torch.where((first[:, 1:] > 0).any(dim=1), first[:, 1:].argmax(dim=1) + 1, 0)
    assert stats.chisquare(partner.bincount(minlength=5)).pvalue > 1e-4


def test_mixup_mixes_values_and_inputs_of_any_shape():
    y = torch.randn(3, 5, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    x = torch.cat([y, torch.eye(5, dtype=torch.float64).expand(3, -1, -1)], dim=2)
    out, targets = Augmentation({"mixup": 1.0}, range(3)).at(x, y, 0)
    torch.testing.assert_close(targets, out[..., :2])
    torch.testing.assert_close(targets, out[..., 2:] @ y)


@pytest.mark.parametrize("alpha", [0.2, 1.0, 4.0])
def test_shares_follow_the_beta_distribution(alpha):
    weights, _ = weights_of(alpha, 3000, 12)
    # with 12 samples, all are their own partners once in half a thousand million
    off = weights.masked_fill(torch.eye(12, dtype=torch.bool), 0).flatten(1).max(dim=1).values
    assert stats.kstest(off, stats.beta(alpha, alpha).cdf).pvalue > 1e-4
    assert off.var().item() == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.1)


@pytest.mark.parametrize("alpha", [0.5, 1.0, 30.0])
def test_the_table_of_quantiles_meets_the_distribution_function(alpha):
    table = beta_quantiles(alpha, torch.device("cpu"))
    steps = (np.arange(len(table)) + 0.5) / len(table)
    assert np.abs(stats.beta(alpha, alpha).cdf(table.numpy()) - steps).max() < 1e-9


# ---------------------------------------------------------------------- bad input


def test_a_misspelt_name_lists_the_near_ones():
    with pytest.raises(UsageError, match=r"no augmentation is called 'rotat'; did you mean 'rotate'"):
        Augmentation({"rotat": 3}, [0])


@pytest.mark.parametrize(
    ("name", "strength", "line"),
    [
        ("flip", 1.5, r"augment.flip must lie in \[0, 1\], got 1.5"),
        ("zoom", 1, r"augment.zoom must lie in \[0, 1\), got 1"),
        ("rotate", 200, r"augment.rotate must lie in \[0, 180\], got 200"),
        ("noise", float("nan"), r"augment.noise must lie in \[0, inf\), got nan"),
        ("crop", 1.5, r"augment.crop must lie in \[0, inf\), whole, got 1.5"),
        ("mixup", -1, r"augment.mixup must lie in \[0, inf\), got -1"),
    ],
)
def test_a_strength_out_of_range_is_one_line(name, strength, line):
    with pytest.raises(ValueError, match=line):
        Augmentation({name: strength}, [0])


def test_a_strength_that_is_no_number_is_one_line():
    for strength in ("high", True, None):
        with pytest.raises(TypeError, match=r"augment.flip must be a number in \[0, 1\], got"):
            Augmentation({"flip": strength}, [0])


def test_lengths_larger_than_the_image_are_refused():
    for name in ("blur", "crop", "cutout", "translate"):
        with pytest.raises(ValueError, match=rf"augment.{name} must lie in \[0, 7\] for images of this size, got 8"):
            augmented({name: 8}, images(2))


def test_what_is_no_image_is_refused_by_the_names_that_need_one():
    with pytest.raises(
        ValueError, match=r"rotate, flip need images.*has shape \[6\]; for any inputs there are noise, mixup"
    ):
        augmented({"flip": 0.5, "rotate": 9, "noise": 1}, torch.zeros(2, 5, 6))


def test_tokens_are_refused():
    with pytest.raises(ValueError, match="noise, mixup need inputs that are numbers, these are tokens"):
        augmented({"noise": 1, "mixup": 1}, torch.zeros(2, 5, 6, dtype=torch.int64))


def test_labels_that_cannot_be_mixed_are_refused():
    x = torch.zeros(2, 5, 6)
    with pytest.raises(ValueError, match=r"mixup mixes one label a sample, and the labels have shape \[6\]"):
        augmented({"mixup": 1}, x, torch.zeros(2, 5, 6, dtype=torch.int64))
    with pytest.raises(ValueError, match="mixup must know the number of classes"):
        Augmentation({"mixup": 1}, [0, 1]).at(x, labels(2), 0)
