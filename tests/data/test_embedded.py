import numpy as np
import pytest
import torch
from sklearn import datasets as sklearn_datasets

from optbench.data import DATASETS
from optbench.data.embedded import photograph
from optbench.data.splits import split_indices


@pytest.mark.parametrize(
    ("name", "samples", "inputs", "classes"),
    [
        ("breast_cancer", 569, (30,), [212, 357]),
        ("wine", 178, (13,), [59, 71, 48]),
        ("iris", 150, (4,), [50, 50, 50]),
        ("digits", 1797, (1, 8, 8), [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]),
    ],
)
def test_the_tables_have_the_published_sizes_and_the_numbers_of_scikit_learn(name, samples, inputs, classes):
    data = DATASETS[name]()
    x, y = getattr(sklearn_datasets, f"load_{name}")(return_X_y=True)
    assert data.x.shape == (samples, *inputs)
    assert torch.bincount(data.y).tolist() == classes
    assert data.classes == len(classes)
    assert np.array_equal(data.x.flatten(1).numpy(), x)
    assert np.array_equal(data.y.numpy(), y)


def test_diabetes_is_442_values():
    data = DATASETS["diabetes"]()
    x, y = sklearn_datasets.load_diabetes(return_X_y=True)
    assert data.task == "values"
    assert data.scale_targets
    assert np.array_equal(data.x.numpy(), x)
    assert np.array_equal(data.y[:, 0].numpy(), y)
    assert (data.y.min(), data.y.max()) == (25, 346)


def test_the_patches_put_together_give_the_photographs_again():
    data, images = DATASETS["patches"](), sklearn_datasets.load_sample_images().images
    assert data.x.shape == (520, 3, 32, 32)
    assert torch.bincount(data.y).tolist() == [260, 260]
    for label, image in enumerate(images):
        own = data.x[data.y == label].numpy().reshape(13, 20, 3, 32, 32)
        assert np.array_equal(own.transpose(0, 3, 1, 4, 2).reshape(416, 640, 3), image[:416])


def test_patches_of_different_parts_share_no_pixel():
    patch = torch.arange(520)
    corners = torch.stack([patch // 260, patch % 260 // 20 * 32, patch % 20 * 32], dim=1)  # photograph, row, column
    owner = torch.full((2, 427, 640), -1)
    for number, part in enumerate(split_indices(DATASETS["patches"](), 0)):
        for image, row, column in corners[part].tolist():
            square = owner[image, row : row + 32, column : column + 32]
            assert (square == -1).all()
            square[:] = number


def test_the_photograph_is_the_mean_of_blocks_at_their_centres():
    data, image = DATASETS["photograph"](), sklearn_datasets.load_sample_images().images[1] / 255
    assert data.x.shape == (4096, 2)
    assert data.y.shape == (4096, 3)
    assert not data.scale_inputs
    top, left = (427 - 384) // 2, (640 - 384) // 2
    for row, column in ((0, 0), (0, 63), (17, 40), (63, 63)):
        block = image[top + 6 * row : top + 6 * row + 6, left + 6 * column : left + 6 * column + 6]
        assert data.y[64 * row + column].numpy() == pytest.approx(block.mean(axis=(0, 1)))
        place = [-1 + (row + 0.5) / 32, -1 + (column + 0.5) / 32]
        assert data.x[64 * row + column].tolist() == pytest.approx(place)


def test_the_photograph_may_be_larger_or_smaller():
    assert photograph(side=8).y.shape == (64, 3)
    full = photograph(side=427)
    assert full.y.min() == 0
    with pytest.raises(ValueError, match=r"photograph: side must lie in \[2, 427\], got 428"):
        photograph(side=428)
