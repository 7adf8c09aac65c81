import errno

import numpy as np
import pytest

from lottery_jax.core.checkpoint import CheckpointError, load, save

ARRAYS = {"w": np.arange(5, dtype=np.float32), "n": np.uint32(7)}


def test_what_was_saved_comes_back_to_the_bit(tmp_path):
    save(tmp_path / "a.npz", "one", ARRAYS)
    found = load(tmp_path / "a.npz", "one")
    assert found is not None
    assert found.keys() == ARRAYS.keys()
    assert all(np.array_equal(found[name], ARRAYS[name]) for name in ARRAYS)
    assert found["w"].dtype == np.float32


def test_no_file_is_no_checkpoint(tmp_path):
    assert load(tmp_path / "a.npz", "one") is None


def test_a_later_one_replaces_the_earlier(tmp_path):
    save(tmp_path / "a.npz", "one", ARRAYS)
    save(tmp_path / "a.npz", "one", {"w": np.zeros(2)})
    found = load(tmp_path / "a.npz", "one")
    assert found is not None
    assert list(found) == ["w"]
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]


def test_another_run_is_refused(tmp_path):
    save(tmp_path / "a.npz", "one", ARRAYS)
    with pytest.raises(CheckpointError, match="belongs to another run"):
        load(tmp_path / "a.npz", "two")


@pytest.mark.parametrize("end", [0, 1, 100, -1])
def test_a_damaged_file_is_refused(tmp_path, end):
    save(tmp_path / "a.npz", "one", ARRAYS)
    content = (tmp_path / "a.npz").read_bytes()
    (tmp_path / "a.npz").write_bytes(content[:end])
    with pytest.raises(CheckpointError, match="damaged"):
        load(tmp_path / "a.npz", "one")


def test_a_file_that_cannot_be_read_is_not_called_damaged(tmp_path, monkeypatch):
    (tmp_path / "folder.npz").mkdir()
    with pytest.raises(CheckpointError, match=r"folder.npz cannot be read: Is a directory"):
        load(tmp_path / "folder.npz", "one")
    save(tmp_path / "a.npz", "one", ARRAYS)

    def fail(*arguments, **options):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(np, "load", fail)
    with pytest.raises(CheckpointError, match=r"a.npz cannot be read: Input/output error"):
        load(tmp_path / "a.npz", "one")


def test_any_flipped_byte_gives_the_arrays_or_one_clear_error(tmp_path):
    save(tmp_path / "a.npz", "one", ARRAYS)
    content = bytearray((tmp_path / "a.npz").read_bytes())
    for place in range(0, len(content), 7):
        changed = content.copy()
        changed[place] ^= 0xFF
        (tmp_path / "a.npz").write_bytes(changed)
        try:
            found = load(tmp_path / "a.npz", "one")
        except CheckpointError:
            continue
        assert found is not None


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(CheckpointError, match="cannot be written"):
        save(tmp_path / "missing" / "a.npz", "one", ARRAYS)
