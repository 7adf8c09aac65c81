import pytest

from lottery_jax.core.records import Records, RecordsError


def test_results_are_found_again_by_their_settings(tmp_path):
    path = tmp_path / "a.jsonl"
    Records(path).add({"seed": 1, "law": "x"}, {"value": 0.1, "none": None})
    Records(path).add({"seed": 2, "law": "x"}, {"value": 0.2})
    records = Records(path)
    assert records.find({"law": "x", "seed": 1}) == {"value": 0.1, "none": None}
    assert records.find({"law": "x", "seed": 3}) is None


def test_a_torn_line_is_set_aside(tmp_path):
    path = tmp_path / "a.jsonl"
    Records(path).add({"seed": 1}, {"value": 0.1})
    content = path.read_bytes()
    path.write_bytes(content + content[:20])
    with pytest.warns(UserWarning, match="a.jsonl:2 is torn"):
        records = Records(path)
    records.add({"seed": 2}, {"value": 0.2})
    assert Records(path).find({"seed": 2}) == {"value": 0.2}
    assert (tmp_path / "a.jsonl.torn").read_bytes() == content[:20] + b"\n"


def test_one_result_for_one_setting(tmp_path):
    records = Records(tmp_path / "a.jsonl")
    records.add({"seed": 1}, {"value": 0.1})
    with pytest.raises(RecordsError, match="already holds"):
        records.add({"seed": 1}, {"value": 0.2})


@pytest.mark.parametrize("content", [b'{"id": "x"}\n', b"plain words\n", b"plain words"])
def test_a_foreign_file_is_refused(tmp_path, content):
    (tmp_path / "a.jsonl").write_bytes(content)
    with pytest.raises(RecordsError, match="result"):
        Records(tmp_path / "a.jsonl")
    assert (tmp_path / "a.jsonl").read_bytes() == content


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(RecordsError, match="name a file"):
        Records(tmp_path)
