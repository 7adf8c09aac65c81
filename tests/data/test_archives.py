"""Readers of archives, on small archives made here: right ones, and every kind of wrong one."""

import gzip
import hashlib
import io
import os
import pickle
import tarfile
import zipfile

import numpy as np
import pytest
from PIL import Image

from lottery_jax import data
from lottery_jax.data import archives, cifar, pickles, tiny_imagenet

GENERATOR = np.random.default_rng(0)


def tar(path, members):
    with tarfile.open(path, "w:gz") as archive:
        for name, contents in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(contents)
            archive.addfile(member, io.BytesIO(contents))
    return path


def planes(count):
    return GENERATOR.integers(0, 256, (count, 3, 32, 32), dtype=np.uint8)


def members_of(name, parts, labels):
    """What the archive of that name holds, member by member; labels as one list for each part."""
    form = cifar.FORMS[name]
    contents = {}
    for member, images, wanted in zip(form.train + form.test, parts, labels, strict=True):
        if isinstance(form.labels, int):
            coarse = [[7]] * len(images) if form.labels == 2 else [[]] * len(images)
            contents[member] = b"".join(
                bytes([*first, label]) + image.tobytes()
                for first, label, image in zip(coarse, wanted, images, strict=True)
            )
        else:
            held = {b"data": images.reshape(len(images), -1), form.labels: list(wanted)}
            contents[member] = pickle.dumps(held, protocol=4)
    return contents


def small(path, num_parts):
    parts = [planes(3) for _ in range(num_parts)]
    labels = [GENERATOR.integers(0, 10, 3).tolist() for _ in range(num_parts)]
    tar(path, members_of(path.name, parts, labels))
    return parts, labels


def oracle_standardised(images, train):
    """Per channel, in float64, from images [image, channel, row, column]."""
    found = np.zeros(images.shape)
    for channel in range(images.shape[1]):
        values = train[:, channel].astype(np.float64)
        found[:, channel] = (images[:, channel] - values.mean()) / values.std()
    return found.transpose(0, 2, 3, 1)


@pytest.mark.parametrize("name", cifar.FORMS)
def test_small_archives_are_read(tmp_path, name):
    num_parts = 6 if "-10-" in name else 2
    parts, labels = small(tmp_path / name, num_parts)
    dataset = data.load(tmp_path / name, verify=False)
    train = np.concatenate(parts[:-1])
    np.testing.assert_array_equal(dataset.train_labels, np.concatenate(labels[:-1]))
    np.testing.assert_array_equal(dataset.test_labels, labels[-1])
    # Values of up to 4 are rounded once to float32.
    for found, images in ((dataset.train_images, train), (dataset.test_images, parts[-1])):
        np.testing.assert_allclose(found, oracle_standardised(images, train), rtol=0, atol=1e-6)
    assert dataset.image_shape == (32, 32, 3)
    assert (dataset.name, dataset.num_classes) == (
        ("cifar10", 10) if "-10-" in name else ("cifar100", 100)
    )


def test_an_archive_is_found_by_name_in_the_folder(tmp_path, monkeypatch):
    monkeypatch.setenv(archives.FOLDER, str(tmp_path))
    with pytest.raises(data.ArchiveError, match=r"no file cifar-10-binary.tar.gz or .*give the"):
        data.load("cifar10", verify=False)
    parts, _ = small(tmp_path / "cifar-10-python.tar.gz", 6)
    found = data.load("cifar10", verify=False)
    assert len(found.train_images) == sum(map(len, parts[:-1]))
    again = data.load("cifar-10-python.tar.gz", verify=False)
    np.testing.assert_array_equal(again.train_images, found.train_images)
    monkeypatch.delenv(archives.FOLDER)
    with pytest.raises(data.ArchiveError, match=archives.FOLDER):
        data.load("cifar10")


def test_a_checksum_is_compared(tmp_path, monkeypatch):
    path = tmp_path / "cifar-100-binary.tar.gz"
    small(path, 2)
    found = hashlib.md5(path.read_bytes()).hexdigest()
    with pytest.raises(
        data.ArchiveError, match=f"{path} has MD5 {found}, expected 03b5dce.*verify"
    ):
        data.load(path)
    form = cifar.FORMS[path.name]._replace(md5=found)
    monkeypatch.setattr(cifar, "FORMS", {path.name: form})
    assert data.load(path).num_classes == 100


@pytest.mark.parametrize("name", ["cifar-10-binary.tar.gz", "tiny-imagenet-200.zip"])
def test_any_cut_and_any_changed_byte_is_an_error(tmp_path, name):
    path = tmp_path / name
    if name.endswith(".zip"):
        small_zip(path)
    else:
        small(path, 6)
    whole = path.read_bytes()
    expected = data.load(path, verify=False)
    places = np.linspace(0, len(whole) - 1, 25).astype(int)
    refused = 0
    for place in places:
        path.write_bytes(whole[:place])
        with pytest.raises(data.ArchiveError, match=r"truncated or damaged|lacks"):
            data.load(path, verify=False)
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x41]) + whole[place + 1 :])
        try:
            found = data.load(path, verify=False)
        except data.ArchiveError:
            refused += 1
        else:  # a byte that means nothing: the time of the file, for example
            np.testing.assert_array_equal(found.train_images, expected.train_images)
            np.testing.assert_array_equal(found.test_labels, expected.test_labels)
    assert refused > 20


def test_the_checksum_inside_a_gzip_file_is_compared(tmp_path):
    path = tmp_path / "cifar-10-binary.tar.gz"
    small(path, 6)
    plain = bytearray(gzip.decompress(path.read_bytes()))
    stored = bytearray(gzip.compress(bytes(plain), compresslevel=0))
    stored[2000] ^= 1  # a pixel: without the checksum nothing would show
    path.write_bytes(stored)
    with pytest.raises(data.ArchiveError, match="CRC"):
        data.load(path, verify=False)


class Malicious:
    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (self.folder,)


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_a_malicious_pickle_is_named_and_never_runs(tmp_path, protocol):
    name, trap = "cifar-10-python.tar.gz", tmp_path / "trap"
    contents = members_of(name, [planes(1)] * 6, [[0]] * 6)
    member = "cifar-10-batches-py/data_batch_3"
    contents[member] = pickle.dumps([Malicious(str(trap))], protocol=protocol)
    path = tar(tmp_path / name, contents)
    with pytest.raises(data.ArchiveError, match=r"data_batch_3 .*(posix|nt)\.mkdir.*nothing was"):
        data.load(path, verify=False)
    assert not trap.exists()
    pickle.loads(contents[member])  # the trap is a real one
    assert trap.exists()


def test_pickles_of_python_2_are_read():
    # dumps({'data': numpy.array([[1, 2]], 'uint8'), 'labels': [3]}, 2), as Python 2 writes it
    old = (
        b"\x80\x02}q\x01(U\x04dataq\x02cnumpy.core.multiarray\n_reconstruct\nq\x03cnumpy\nndarray"
        b"\nq\x04K\x00\x85U\x01b\x87Rq\x05(K\x01K\x01K\x02\x86cnumpy\ndtype\nq\x06U\x02u1K\x00K\x01"
        b"\x87Rq\x07(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89U\x02\x01\x02tb"
        b"U\x06labelsq\x08]q\tK\x03au."
    )
    found = pickles.load_arrays(old)
    assert found[b"labels"] == [3]
    np.testing.assert_array_equal(found[b"data"], np.array([[1, 2]], np.uint8))


@pytest.mark.parametrize("damaged", [b"", b"junk", pickle.dumps([1])[:-1], b"\x80\x04K\x01\x85R."])
def test_damaged_pickles_are_refused(damaged):
    with pytest.raises(pickles.PickleError, match="damaged"):
        pickles.load_arrays(damaged)


@pytest.mark.parametrize(
    "held",
    [
        [1, 2],
        {b"data": [1], b"labels": [1]},
        {b"data": np.zeros((2, 3072), np.uint8), b"labels": [1]},
        {b"data": np.zeros((1, 3071), np.uint8), b"labels": [1]},
        {b"data": np.zeros((1, 3072), np.int64), b"labels": [1]},
        {b"data": np.zeros((1, 3072), np.uint8), b"labels": ["1"]},
        {b"data": np.zeros((1, 3072), np.uint8)},
    ],
)
def test_other_pickles_are_refused(tmp_path, held):
    name = "cifar-10-python.tar.gz"
    contents = members_of(name, [planes(1)] * 6, [[0]] * 6)
    contents["cifar-10-batches-py/test_batch"] = pickle.dumps(held, protocol=4)
    with pytest.raises(data.ArchiveError, match=r"test_batch .* is not a dict of data"):
        data.load(tar(tmp_path / name, contents), verify=False)


def test_records_that_do_not_fit_are_refused(tmp_path):
    name, member = "cifar-10-binary.tar.gz", "cifar-10-batches-bin/data_batch_2.bin"
    contents = members_of(name, [planes(2)] * 6, [[0, 1]] * 6)
    path = tmp_path / name
    whole = contents[member]
    for wrong, reason in (
        (whole[:-1], "6145 bytes, expected a multiple of 3073"),
        (b"", "0 bytes"),
        (b"\x0a" + whole[1:], "labels from 1 to 10, expected 0 to 9"),
    ):
        tar(path, {**contents, member: wrong})
        with pytest.raises(data.ArchiveError, match=f"data_batch_2.bin .*{reason}"):
            data.load(path, verify=False)
    del contents[member]
    with pytest.raises(data.ArchiveError, match=r"lacks .*data_batch_2.bin \(1 of 6 members\)"):
        data.load(tar(path, contents), verify=False)


def test_images_of_one_colour_are_refused(tmp_path):
    name = "cifar-100-binary.tar.gz"
    path = tar(tmp_path / name, members_of(name, [0 * planes(2), planes(2)], [[0, 1]] * 2))
    with pytest.raises(data.ArchiveError, match="cannot be standardised"):
        data.load(path, verify=False)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("mnist", "choose one of digits, digits28, cifar10"),
        ("nowhere/cifar-10-binary.tar.gz", "no file nowhere"),
    ],
)
def test_unknown_sources_are_refused(source, reason):
    with pytest.raises(data.ArchiveError, match=reason):
        data.load(source)


def test_a_file_of_another_name_is_refused(tmp_path):
    (tmp_path / "images.tar.gz").write_bytes(b"")
    with pytest.raises(data.ArchiveError, match="rename it"):
        data.load(tmp_path / "images.tar.gz")


def jpeg(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=100)
    return file.getvalue()


def decoded(contents):
    with Image.open(io.BytesIO(contents)) as image:
        return np.asarray(image.convert("RGB"))


def smooth(count):
    """Images of one colour with some noise: JPEG keeps them nearly."""
    return [
        np.clip(
            GENERATOR.integers(30, 220, (1, 1, 3)) + GENERATOR.integers(-9, 9, (64, 64, 3)), 0, 255
        ).astype(np.uint8)
        for _ in range(count)
    ]


def zip_contents():
    classes = ["n02", "n01"]
    contents = {"tiny-imagenet-200/wnids.txt": "\n".join(classes).encode() + b"\n"}
    for label in classes:
        for place, image in enumerate(smooth(2)):
            name = f"tiny-imagenet-200/train/{label}/images/{label}_{place}.JPEG"
            contents[name] = jpeg(image)
        contents[f"tiny-imagenet-200/train/{label}/{label}_boxes.txt"] = b"0"
    held_out = smooth(3)
    held_out[1] = held_out[1][:, :, 0]  # grey
    rows = []
    for place, (image, label) in enumerate(zip(held_out, ["n01", "n02", "n02"], strict=True)):
        contents[f"tiny-imagenet-200/val/images/val_{place}.JPEG"] = jpeg(image)
        rows.append(f"val_{place}.JPEG\t{label}\t0\t0\t63\t63")
    contents["tiny-imagenet-200/val/val_annotations.txt"] = "\n".join(rows).encode()
    return contents


def write_zip(path, contents):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, held in contents.items():
            archive.writestr(name, held)
    return path


def small_zip(path):
    return write_zip(path, zip_contents())


def test_a_small_tiny_imagenet_is_read(tmp_path):
    contents = zip_contents()
    dataset = data.load(write_zip(tmp_path / tiny_imagenet.NAME, contents), verify=False)
    assert dataset.train_labels.tolist() == [0, 0, 1, 1]
    assert dataset.test_labels.tolist() == [1, 0, 0]
    assert (dataset.name, dataset.num_classes) == ("tinyimagenet", 200)
    names = [f"train/{c}/images/{c}_{place}.JPEG" for c in ("n02", "n01") for place in (0, 1)]
    held_out = [f"val/images/val_{place}.JPEG" for place in range(3)]
    stored = [
        np.stack([decoded(contents[f"tiny-imagenet-200/{name}"]) for name in listed])
        for listed in (names, held_out)
    ]
    train, test = (images.transpose(0, 3, 1, 2) for images in stored)
    for found, images in ((dataset.train_images, train), (dataset.test_images, test)):
        np.testing.assert_allclose(found, oracle_standardised(images, train), rtol=0, atol=1e-6)


def test_a_tiny_imagenet_that_lacks_something_is_refused(tmp_path):
    path, root = tmp_path / tiny_imagenet.NAME, "tiny-imagenet-200"
    whole = zip_contents()
    for change, reason in (
        ({f"{root}/wnids.txt": None}, "lacks .*wnids.txt"),
        ({f"{root}/val/images/val_2.JPEG": None}, "lacks .*val_2.JPEG"),
        ({f"{root}/wnids.txt": b"n07"}, "expected an image and one of the 1 classes"),
        ({f"{root}/val/val_annotations.txt": b""}, "0 held-out"),
        ({f"{root}/train/n01/images/n01_0.JPEG": b"text"}, "n01_0.JPEG .* is no JPEG image"),
        ({f"{root}/val/images/val_0.JPEG": jpeg(smooth(1)[0][:32])}, r"shape \(32, 64, 3\)"),
    ):
        contents = {name: held for name, held in (whole | change).items() if held is not None}
        with pytest.raises(data.ArchiveError, match=reason):
            data.load(write_zip(path, contents), verify=False)


def test_without_pillow_the_way_out_is_named(tmp_path, monkeypatch):
    import sys

    path = small_zip(tmp_path / tiny_imagenet.NAME)
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ModuleNotFoundError, match="pip install pillow"):
        data.load(path, verify=False)
