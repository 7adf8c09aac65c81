"""Rows survive crashes, merge as a set, and nothing foreign is touched."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from lottery_jax.montecarlo import Store, StoreError, merge_stores

ONE = {"id": "00c0ffee", "chunk": 0, "trials": 10, "hits": [3], "undecided": [0], "seconds": 1.0}
TWO = ONE | {"chunk": 1, "hits": [4]}
OTHER = ONE | {"id": "0badcafe"}


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "counts.jsonl")


def test_rows_come_back_in_order(store):
    assert store.rows() == []
    for row in (TWO, ONE, OTHER):
        store.append(row)
    assert store.rows() == Store(str(store.path)).rows() == [TWO, ONE, OTHER]
    assert store.only("00c0ffee") == {1: TWO, 0: ONE}
    assert store.only("deadbeef") == {}


def test_the_id_is_written_first(store):
    store.append({"chunk": 0, **ONE})
    assert store.path.read_text().startswith('{"id": "00c0ffee"')


def test_equal_duplicates_collapse(store):
    for row in (ONE, ONE | {"seconds": 2.0, "versions": {"jax": "0"}, "device": "another"}):
        store.append(row)
    assert store.rows() == [ONE]


def test_different_duplicates_name_both_rows(store):
    for row in (TWO, ONE, ONE | {"hits": [5]}):
        store.append(row)
    with pytest.raises(StoreError, match=r"counts.jsonl:2 and .*counts.jsonl:3 disagree.*chunk 0"):
        store.rows()


def test_a_merge_is_a_set_union(store, tmp_path):
    second = Store(tmp_path / "second.jsonl")
    store.append(ONE)
    second.append(TWO)
    second.append(ONE)
    assert merge_stores([store.path, store.path]) == [ONE]
    assert merge_stores([store.path, second.path]) == [ONE, TWO]
    assert merge_stores([second.path, store.path, second.path]) == [TWO, ONE]
    second.append(TWO | {"hits": [9]})
    with pytest.raises(StoreError, match=r"second.jsonl:1 and .*second.jsonl:3 disagree"):
        merge_stores([store.path, second.path])


@pytest.mark.parametrize("kept", [1, 5, 20, -1])
def test_a_torn_last_line_is_set_aside(store, kept):
    store.append(ONE)
    whole = store.path.read_bytes()
    torn = (json.dumps(TWO) + "\n").encode()[:kept]
    store.path.write_bytes(whole + torn)
    with pytest.warns(UserWarning, match=r"counts.jsonl:2 is torn"):
        assert store.rows() == [ONE]
    assert store.path.read_bytes() == whole + torn  # reading changes nothing
    store.append(TWO)
    assert store.rows() == [ONE, TWO]
    assert (store.path.parent / "counts.jsonl.torn").read_bytes() == torn + b"\n"


@pytest.mark.parametrize(
    "content",
    [
        "a,b\n1,2\n",
        "no line end",
        "[1, 2]\n",
        "{}\n",
        '{"id": 3, "chunk": 0}\n',
        "\n",
        "\x00" * 9,
        json.dumps({"id": "00c0ffee", "chunk": 0}) + "\n",
        json.dumps(ONE | {"chunk": "0"}) + "\n",
    ],
)
def test_a_foreign_file_is_refused_and_left_alone(store, content):
    store.path.write_text(content)
    with pytest.raises(StoreError, match=r"counts.jsonl.* is not a "):
        store.rows()
    if not content.endswith("\n"):
        with pytest.raises(StoreError, match=r"counts.jsonl is not a store"):
            store.append(ONE)
    assert store.path.read_text() == content


def test_bytes_that_are_no_text_are_refused(store):
    store.path.write_bytes(b"\x80\x81\n")
    with pytest.raises(StoreError, match=r"counts.jsonl:1 is not a row"):
        store.rows()


def test_unusable_paths_are_refused(tmp_path):
    with pytest.raises(StoreError, match=r"missing.jsonl cannot be read: No such file"):
        merge_stores([tmp_path / "missing.jsonl"])
    with pytest.raises(StoreError, match="cannot be read: Is a directory"):
        merge_stores([tmp_path])
    for path in (tmp_path, tmp_path / "missing" / "counts.jsonl"):
        with pytest.raises(StoreError, match="name a file in an existing folder"):
            Store(path)


def test_a_row_without_an_address_is_not_written(store):
    for row in ({}, ONE | {"chunk": None}, {"id": "00c0ffee", "chunk": 0}):
        with pytest.raises(StoreError, match="the row to append is not a row"):
            store.append(row)
    assert not store.path.exists()


def test_a_killed_writer_loses_at_most_the_row_it_was_writing(store):
    code = f"""
from lottery_jax.montecarlo.store import Store
store, chunk = Store({str(store.path)!r}), 0
while True:
    store.append({{"id": "00c0ffee", "chunk": chunk, "hits": [chunk], "undecided": [0]}})
    print(chunk, flush=True)
    chunk += 1
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        time.sleep(0.05)
        os.kill(process.pid, signal.SIGKILL)
        reported = 1 + len(process.stdout.read().splitlines())
    chunks = sorted(store.only("00c0ffee"))
    assert chunks == list(range(len(chunks)))
    assert reported <= len(chunks) <= reported + 1
