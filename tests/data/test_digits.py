"""The bundled digits: their content, their split, and larger images."""

import hashlib

import numpy as np
import pytest

from lottery_jax.data import load_digits

# Of pixels and labels as scikit-learn 1.9.1 ships them, in uint8.
SHA256 = "87ff0c9e40dc7e2c0e34e7257799c2e3f3aec1a016363bb11cad869ec428a826"
COUNTS = [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]  # images of each class


def test_content_is_that_of_the_source():
    digits = load_digits()
    assert digits.train_images.shape == (1442, 64)
    assert digits.test_images.shape == (355, 64)
    assert {digits.train_images.dtype, digits.test_images.dtype} == {np.dtype(np.float32)}
    labels = np.concatenate([digits.train_labels, digits.test_labels])
    np.testing.assert_array_equal(np.bincount(labels), COUNTS)
    # Put the images back into the order of the file: every fifth of each class was taken out.
    images, order, counts = [], [], [0] * 10
    held, kept = (
        iter_by_class(digits.test_images, digits.test_labels),
        iter_by_class(digits.train_images, digits.train_labels),
    )
    with np.load("lottery_jax/data/digits.npz") as arrays:
        for label in arrays["labels"]:
            place = counts[label] = counts[label] + 1
            images.append(next((held if place % 5 == 0 else kept)[label]))
            order.append(label)
    pixels = np.asarray(images, np.float32) * 16
    np.testing.assert_array_equal(pixels, np.round(pixels))
    found = pixels.astype(np.uint8).tobytes() + np.uint8(order).tobytes()
    assert hashlib.sha256(found).hexdigest() == SHA256


def iter_by_class(images, labels):
    return [iter(images[labels == label]) for label in range(10)]


def test_the_split_is_stratified():
    digits = load_digits()
    held_out = np.bincount(digits.test_labels)
    np.testing.assert_array_equal(held_out, np.array(COUNTS) // 5)


@pytest.mark.parametrize("size", [9, 28])
def test_larger_images_are_interpolated_between_the_centres(size):
    small = load_digits().test_images[:5].reshape(-1, 8, 8).astype(np.float64)
    large = load_digits(size).test_images[:5].reshape(-1, size, size)
    centre = (np.arange(size) + 0.5) * 8 / size - 0.5
    rows = [[np.interp(centre, np.arange(8), row) for row in image] for image in small]
    expected = [
        [np.interp(centre, np.arange(8), column) for column in np.transpose(image)]
        for image in rows
    ]
    # float32 rounds numbers up to 1 by at most 2**-25, np.interp errs by a few 2**-53.
    np.testing.assert_allclose(large, np.transpose(expected, (0, 2, 1)), rtol=0, atol=2**-24)
    assert large.min() >= 0
    assert large.max() <= 1


@pytest.mark.parametrize("size", [7, 257, 28.0, True])
def test_other_sizes_are_refused(size):
    with pytest.raises(Exception, match="size"):
        load_digits(size)
