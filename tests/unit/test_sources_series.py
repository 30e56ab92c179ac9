"""Series in .ts and .arff files, of one and of several channels, of equal and of unequal lengths."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import spikewright as sw
from spikewright.data.options import DataOptions
from spikewright.sources.read import read

HEAD = "#about\n@problemName m\n@timeStamps false\n@missing false\n@univariate false\n@classLabel true up down\n@data\n"
ARFF = """% about
@RELATION m
@attribute series relational
  @attribute t0 numeric
  @attribute t1 numeric
@end series
@attribute 'the class' {up,down}
@data
'1,2,3\\n4,5,6',up
"7,8,?\\n9,10,?",down
"""
FLAT = "@relation m\n@attribute a numeric\n@attribute\tb real\n@attribute 'c d' {x, 'y z'}\n@data\n1,2,x\n3,4,'y z'\n"


def file(tmp_path: Path, name: str, text: str) -> Path:
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


def test_a_line_of_ts_is_a_recording(tmp_path: Path) -> None:
    samples, labels = found(file(tmp_path, "m.ts", HEAD + "1,2,3:4,5,6:up\n\n7,8.5:9,1e1:down\n"))
    assert samples[0].tolist() == [[1, 4], [2, 5], [3, 6]]
    assert samples[1, :2].tolist() == [[7, 9], [8.5, 10]]
    assert np.isnan(samples[1, 2]).all()
    assert labels.tolist() == ["up", "down"]


def test_values_of_ts_are_learnt_as_such(tmp_path: Path) -> None:
    path = file(tmp_path, "m.ts", HEAD.replace("@classLabel true up down", "@targetLabel true") + "1,2:0.5\n3,4:7\n")
    samples, labels = found(path)
    assert samples.tolist() == [[[1], [2]], [[3], [4]]]
    assert labels.tolist() == [0.5, 7]


@pytest.mark.parametrize("named", ["m_TRAIN.ts", "m_TEST.ts", ""])
def test_the_official_parts_are_found_beside_each_other(tmp_path: Path, named: str) -> None:
    lines = [f"{i},{i % 3}:1,2:{('up', 'down')[i % 2]}\n" for i in range(40)]
    file(tmp_path, "m_TRAIN.ts", HEAD + "".join(lines))
    file(tmp_path, "m_TEST.ts", HEAD + "".join(lines[:9]))
    data = sw.Dataset.from_file(tmp_path / named)
    assert (data.name, data.output.names) == ("m", ("down", "up"))
    assert [len(part) for part in (data.train, data.validation, data.test)] == [36, 4, 9]


def test_all_faulty_lines_of_ts_are_named(tmp_path: Path) -> None:
    path = file(tmp_path, "m.ts", HEAD + "1,?:1,2:up\n1,2:3,4:left\n1,2:1,2,3:up\n1,2:up\n1,a:1,2:up\n1,1:1,1:right\n")
    assert refusal(path) == (
        f"{path}: 5 faults\n"
        "  - line 8: holds missing values (?); fill them in, or leave the recording out\n"
        "  - line 9: 'left' is none of the classes up, down\n"
        "  - line 10: has channels of different lengths (2, 3); all must have as many steps\n"
        "  - line 11: has 1 channels, and others have 2\n"
        "  - line 12: holds what is no number"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,2:up\n", "is no .ts file: it has no line @data after lines that begin with @"),
        ("@timeStamps true\n@data\n", "2 faults\n  - has time stamps, which are not read; write it without them, one "
         "value for each step\n  - says neither @classLabel true nor @targetLabel true; recordings need a class "
         "or a value"),
        (HEAD, "holds no recordings behind @data"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_ts_file(tmp_path: Path, text: str, message: str) -> None:
    path = file(tmp_path, "m.ts", text)
    assert refusal(path) == f"{path}: {message}"


def test_relational_arff_holds_recordings_of_several_channels(tmp_path: Path) -> None:
    samples, labels = found(file(tmp_path, "m.arff", ARFF))
    assert samples[0].tolist() == [[1, 4], [2, 5], [3, 6]]
    assert samples[1, :2].tolist() == [[7, 9], [8, 10]]
    assert np.isnan(samples[1, 2]).all()
    assert labels.tolist() == ["up", "down"]


def test_numbers_of_arff_are_a_vector_or_a_series(tmp_path: Path) -> None:
    path = file(tmp_path, "m.arff", FLAT)
    samples, labels = found(path, layout="vectors")
    assert (samples.tolist(), labels.tolist()) == ([[1, 2], [3, 4]], ["x", "y z"])
    assert found(path, layout="series")[0].tolist() == [[[1], [2]], [[3], [4]]]
    numbers = FLAT.replace("{x, 'y z'}", "real").replace("x", "8").replace("'y z'", "9")
    samples, labels = found(file(tmp_path, "n.arff", numbers), layout="vectors", label="a")
    assert (samples.tolist(), labels.tolist()) == ([[2, 8], [4, 9]], [1.0, 3.0])


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        (FLAT, {}, "2 numbers for each sample may be features or steps; give layout=vectors or layout=series"),
        (FLAT, {"label": "d"}, "label=d: there is no such attribute; may be: a, b, c d"),
        (FLAT.replace("b real", "b string"), {"layout": "vectors"}, "attribute b is string, no number; leave it out of "
         "the file"),
        (FLAT.replace("1,2,x", "?,2,x").replace("3,4,", "3,"), {"layout": "vectors"}, "2 faults\n  - line 6: holds "
         "missing values (?); fill them in, or leave the sample out\n  - line 7: has 2 values for 3 attributes"),
        (FLAT.replace("1,2,x", "red,2,x"), {"layout": "vectors"}, "line 6: holds what is no number"),
        (ARFF.replace("4,5,6", "4,5"), {}, "line 9: has channels of different lengths; all must have as many steps"),
        ("a,b\n1,2\n", {}, "is no .arff file: it has no line @data after lines that begin with @"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_an_arff_file(tmp_path: Path, text: str, options: dict[str, object], message: str) -> None:
    path = file(tmp_path, "m.arff", text)
    assert refusal(path, **options) == f"{path}: {message}"
