"""Tables in CSV and Parquet files: which column is what, and every fault of their values at once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import spikewright as sw
from spikewright.data.options import DataOptions
from spikewright.sources import csv_file
from spikewright.sources.read import read


def csv(tmp_path: Path, text: str, name: str = "t.csv") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def found(path: Path, **options: object) -> tuple[np.ndarray, np.ndarray]:
    samples, labels = read(path, DataOptions(**options)).parts["train"]
    return samples[:], labels


def refusal(path: Path, **options: object) -> str:
    with pytest.raises(sw.InputError) as caught:
        sw.Dataset.from_file(path, **options)
    return str(caught.value)


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_a_row_is_a_sample(tmp_path: Path, separator: str) -> None:
    path = csv(tmp_path, "\ufeffa,label,b\n1,no,2.5\n\n-3e2,yes,4\n".replace(",", separator))
    samples, labels = found(path)
    assert samples.tolist() == [[1, 2.5], [-300, 4]]
    assert labels.tolist() == ["no", "yes"]


def test_rows_are_read_some_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_file, "ROWS", 7)
    numbers = np.random.default_rng(0).normal(size=(100, 3))
    rows = [f"{i % 4},{a!r},{b!r},{c!r}" for i, (a, b, c) in enumerate(numbers.tolist())]
    samples, labels = found(csv(tmp_path, "\n".join(["class,a,b,c", *rows])))
    assert np.array_equal(samples, numbers)
    assert labels.tolist() == [i % 4 for i in range(100)]


def test_whole_numbers_as_classes_are_in_the_order_of_numbers(tmp_path: Path) -> None:
    rows = [f"{i},{[2, 10, 1][i % 3]}" for i in range(30)]
    data = sw.Dataset.from_file(csv(tmp_path, "\n".join(["x,label", *rows])))
    assert data.output.names == ("1", "2", "10")


def test_columns_are_chosen_by_name_and_pattern(tmp_path: Path) -> None:
    path = csv(tmp_path, "id,acc_x,acc_y,gyr_x,what\n1,2,3,4,a\n2,5,6,7,b\n")
    assert found(path, label="what", columns="acc_*")[0].tolist() == [[2, 3], [5, 6]]
    assert found(path, label="what", columns=["gyr_x,acc_x"])[0].tolist() == [[4, 2], [7, 5]]


def test_several_values_are_learnt_at_once(tmp_path: Path) -> None:
    samples, labels = found(csv(tmp_path, "a,u,v\n1,2,3\n4,5,6\n"), label="u,v", task="regression")
    assert samples.tolist() == [[1], [4]]
    assert labels.tolist() == [[2, 3], [5, 6]]


LONG = "who;t;x;y;label;person\nb;2;1;2;on;p\na;0;3;4;off;q\nb;1;5;6;on;p\na;1;7;8;off;q\nb;3;9;0;on;p\n"


def test_a_long_table_holds_recordings_in_the_order_in_which_they_begin(tmp_path: Path) -> None:
    path = csv(tmp_path, LONG)
    asked = {"id_column": "who", "time_column": "t", "group": "person"}
    samples, labels = found(path, **asked)
    assert labels.tolist() == ["on", "off"]
    assert samples[0].tolist() == [[5, 6], [1, 2], [9, 0]]
    assert samples[1, :2].tolist() == [[3, 4], [7, 8]]
    assert np.isnan(samples[1, 2]).all()
    assert read(path, DataOptions(**asked)).groups.tolist() == ["p", "q"]
    unordered, _ = found(path, id_column="who", columns=["x", "y"])
    assert unordered[0].tolist() == [[1, 2], [5, 6], [9, 0]]


def test_what_is_wrong_with_recordings_is_said_at_once(tmp_path: Path) -> None:
    path = csv(tmp_path, LONG.replace("b;1;5;6;on;p", "b;2;5;6;up;z"))
    assert refusal(path, id_column="who", time_column="t", group="person") == (
        f"{path}: 3 faults\n  - the label changes within recording b; a recording has one\n"
        "  - the group person changes within recording b; a recording has one\n"
        "  - recording b has two rows at t 2; give it one row for each step"
    )


def test_steps_of_unequal_length_are_noted(tmp_path: Path) -> None:
    rows = [f"r{i},{t},{i % 2},{i}" for i in range(20) for t in (0, 1, 5)]
    data = sw.Dataset.from_file(csv(tmp_path, "\n".join(["r,t,label,x", *rows])), id_column="r", time_column="t")
    assert "data t: the steps of t are from 1 to 4 long; they were taken as equal" in data.notes


def test_official_parts_beside_each_other(tmp_path: Path) -> None:
    rows = ["x,label", *(f"{i},{i % 2}" for i in range(40))]
    train, test = csv(tmp_path, "\n".join(rows), "m_train.csv"), csv(tmp_path, "\n".join(rows[:9]), "m_test.csv")
    for path in (train, test, tmp_path):
        data = sw.Dataset.from_file(path)
        assert (data.name, len(data.train), len(data.validation), len(data.test)) == ("m", 36, 4, 8)


def test_an_index_without_a_name_is_left_out_and_that_is_said(tmp_path: Path) -> None:
    rows = [f"{i},{i % 3},{i % 2}" for i in range(30)]
    data = sw.Dataset.from_file(csv(tmp_path, "\n".join([",x,label", *rows])))
    assert data.shape == (2, 1, 1)
    assert data.notes == (
        "data t: column 1 has no name and is left out",
        "data t: the label is label; learnt from are x",
    )


def test_missing_values_and_text_are_named_all_at_once(tmp_path: Path) -> None:
    path = csv(tmp_path, "a,b,c,label\n1,red,?,x\n,2,NA,\n3,blue,3,y\nnan,1,1,x\n")
    assert refusal(path) == (
        f"{path}: 4 faults\n"
        "  - column a lacks a value in 2 rows, first in row 2; fill them in, or leave the column out (columns)\n"
        "  - column b holds text, first 'red' in row 1, where a number is expected; leave the column out (columns)\n"
        "  - column c lacks a value in 2 rows, first in row 1; fill them in, or leave the column out (columns)\n"
        "  - column label lacks a value in 1 row, first in row 2; fill them in, or leave such rows out"
    )


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("1,2,3\n4,5,6\n", {}, "its first line holds numbers (1, 2, 3, ...); put a line with the names of the columns "
         "above it"),
        ("0.5,2,x\n4,5,y\n", {"label": "x"}, "its first line holds numbers (0.5, 2, ...); put a line with the names of "
         "the columns above it"),
        ("a,a,label\n1,2,x\n", {}, "several columns are called a; give each a name of its own"),
        ("a,b,label\n1,2\n", {}, "row 1 has 2 fields, and there are 3 columns; quote fields that hold ','"),
        ("a,b,c\n1,2,3\n", {}, "which column is the label is not clear: none is called label or class or target; give "
         "label=COLUMN, one of a, b, c"),
        ("label,class,c\n1,2,3\n", {}, "which column is the label is not clear: label, class may all be it; "
         "give label=COLUMN, one of label, class, c"),
        ("a,b,label\n1,2,3\n", {"label": "lable"}, "label=lable: there is no such column; did you mean 'label'? may "
         "be: a, b, label"),
        ("a,b,label\n1,2,3\n", {"columns": "a,d", "group": "p", "time_column": "a"},
         "4 faults\n  - group=p: there is no such column; may be: a, b, label\n"
         "  - time_column=a: is for long tables; give id_column too\n"
         "  - columns=a: is the label, group, recording or time; leave it out\n"
         "  - columns=d: there is no such column; may be: a, b, label"),
        ("a,b,label\n1,2,3\n", {"columns": ["a", "label"]}, "columns=label: is the label, group, recording or time; "
         "leave it out"),
        ("label\n1\n", {}, "has no column to learn from beside the label; give a table with features"),
        ("a,label\n", {}, "holds no rows; give a table with samples"),
        ('a,label\n"1,2\n', {}, "is no CSV (unexpected end of data); save it again"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_table(tmp_path: Path, text: str, options: dict[str, object], message: str) -> None:
    path = csv(tmp_path, text)
    assert refusal(path, **options) == f"{path}: {message}"


def test_files_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes("a,label\nfür,1\n".encode("latin-1"))
    assert refusal(path) == f"{path}: is not UTF-8 (invalid start byte); save it as CSV in UTF-8"
    path.write_bytes(b"PK\x03\x04\0\0\0,a\n")
    assert refusal(path) == f"{path}: holds no text; give a CSV file"


def test_a_part_with_other_columns_is_refused(tmp_path: Path) -> None:
    csv(tmp_path, "a,label\n1,2\n", "m_train.csv")
    path = csv(tmp_path, "b,label\n1,2\n", "m_test.csv")
    assert refusal(path) == f"{path}: has no column a; its parts need the same columns"


def test_options_of_tables_are_refused_for_arrays(tmp_path: Path) -> None:
    np.savez(tmp_path / "m.npz", x=np.zeros((9, 2)), y=np.zeros(9))
    path = tmp_path / "m.npz"
    assert refusal(path, label="a", columns="b,c") == (
        f"data {path}: 2 faults\n"
        f"  - label=a is for tables and .arff files, and {path} holds arrays; leave it out\n"
        f"  - columns=b,c is for tables, and {path} holds arrays; leave it out"
    )


def test_parquet_holds_the_same_as_csv(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    x, who = np.random.default_rng(0).normal(size=(50, 2)), [f"p{i % 5}" for i in range(50)]
    columns = {
        "a": x[:, 0],
        "b": x[:, 1],
        "n": np.arange(50) % 7,
        "who": who,
        "label": [("no", "yes")[i % 2] for i in range(50)],
    }
    table = pyarrow.table({**columns, "label": pyarrow.array(columns["label"]).dictionary_encode()})
    parquet.write_table(table, tmp_path / "t.parquet", row_group_size=8)
    rows = ["a,b,n,who,label", *(",".join(map(repr, row)).replace("'", "") for row in zip(*map(list, (
        x[:, 0].tolist(), x[:, 1].tolist(), columns["n"].tolist(), who, columns["label"])), strict=True))]  # fmt: skip
    ours = sw.Dataset.from_file(tmp_path / "t.parquet", group="who", columns="a,b,n")
    theirs = sw.Dataset.from_file(csv(tmp_path, "\n".join(rows)), group="who", columns="a,b,n")
    assert ours.train.sha256 == theirs.train.sha256
    assert ours.input_rule == theirs.input_rule


def test_what_is_wrong_with_a_parquet_file(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    path = tmp_path / "t.parquet"
    parquet.write_table(pyarrow.table({"a": [1.0, None], "b": ["x", "2"], "label": [0, 1]}), path)
    assert refusal(path) == (
        f"{path}: 2 faults\n"
        "  - column a lacks a value in 1 row, first in row 2; fill them in, or leave the column out (columns)\n"
        "  - column b holds text, first 'x' in row 1, where a number is expected; leave the column out (columns)"
    )
    parquet.write_table(pyarrow.table({"a": [[1.0], [2.0]], "label": [0, 1]}), path)
    assert "column a is of type list<" in refusal(path)
    path.write_bytes(b"PAR1 no")
    assert refusal(path).startswith(f"{path}: cannot be read as Parquet (")


def test_without_pyarrow_it_is_said_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    path = tmp_path / "t.parquet"
    path.write_bytes(b"PAR1")
    assert refusal(path) == f"{path}: needs pyarrow, which is not installed: pip install 'spikewright[tables]'"


def test_columns_that_pandas_numbered_are_read(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("0,1,label\n" + "0.5,2,x\n1.5,-3,y\n" * 10)
    assert sw.Dataset.from_file(path).train.samples.shape[1:] == (4, 1, 1)
