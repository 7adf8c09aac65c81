"""Tables of widths survive the way to a file and back."""

import dataclasses
import math

import pytest

from lottery_jax.report.tables import WidthRow, format_table, read_widths, write_widths

MEASURED = WidthRow(
    "neuron", "linear", 2, 0.1, 1.0, 4, 0.5, 75.0, 70.0, 81.0, trials=800, one_sided="upper"
)
OPEN = WidthRow(
    "weight", "relu", 3, 2e-5, 1.0, None, 0.5, math.inf, 192.0, math.inf, trials=128, one_sided=""
)


def test_rows_read_back_as_they_were_written(tmp_path):
    path = tmp_path / "gap.csv"
    write_widths(path, [MEASURED, OPEN])
    assert read_widths(path) == [MEASURED, OPEN]
    write_widths(path, [])
    assert read_widths(path) == []


def test_the_columns_are_those_promised(tmp_path):
    write_widths(tmp_path / "gap.csv", [MEASURED])
    header, row = (tmp_path / "gap.csv").read_text().splitlines()
    assert header.split(",") == [field.name for field in dataclasses.fields(WidthRow)]
    assert header == (
        "pruning,output,dim,epsilon,radius,max_kept,probability,width,width_low,width_high,"
        "trials,one_sided"
    )
    assert row == "neuron,linear,2,0.1,1.0,4,0.5,75.0,70.0,81.0,800,upper"


@pytest.mark.parametrize(
    "text",
    [
        "epsilon,width\n0.1,75\n",
        "not a table",
        "pruning,output,dim\nneuron\n",
        "\x00",
        "",
        "pruning,output,dim,epsilon,radius,max_kept,probability,width,width_low,width_high,trials,"
        "one_sided\nneuron,linear,two,0.1,1.0,4,0.5,75.0,70.0,81.0,800,upper\n",
    ],
)
def test_other_files_are_refused(tmp_path, text):
    path = tmp_path / "other.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"is not a table of widths; name a gap\.csv"):
        read_widths(path)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(ValueError, match="is not a table of widths"):
        read_widths(tmp_path / "absent.csv")


def test_text_is_aligned():
    table = format_table(["name", "n"], [["a", 1.5], ["long", None], ["b", math.inf]])
    assert table.splitlines() == ["name     n", "a      1.5", "long", "b     open"]
    assert format_table(["name", "n"], []) == "name  n"
