"""Tables of labels, as people's files are: which columns, which task, which images."""

from __future__ import annotations

import csv
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from striate.data import DataError, load
from striate.data.label_columns import find_columns
from striate.data.label_options import TASKS, LabelOptions
from striate.data.label_tables import read_table
from striate.data.label_values import image_labels


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """20 images in two folders, named a/0.png … a/9.png and b/10.png … b/19.png."""
    where = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(0)
    for number in range(20):
        place = where / ("a" if number < 10 else "b")
        place.mkdir(exist_ok=True)
        pixels = rng.integers(0, 255, (8, 9, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(place / f"{number}.png")
    return where


def write(path: Path, head, rows, *, delimiter=",", encoding="utf-8") -> Path:
    with open(path, "w", encoding=encoding, newline="") as file:
        writer = csv.writer(file, delimiter=delimiter)
        if head:
            writer.writerow(head)
        writer.writerows(rows)
    return path


def name(number: int) -> str:
    return f"{'a' if number < 10 else 'b'}/{number}.png"


def by_name(dataset) -> dict[str, object]:
    """What each image has, by its name, over both parts."""
    found = {}
    for part in dataset.parts.values():
        for path, label in zip(part.paths, part.labels, strict=True):
            found["/".join(Path(path).parts[-2:])] = (
                label.tolist() if hasattr(label, "tolist") else label
            )
    return found


def read(folder, table, **options):
    return load(folder, labels=table, cache=False, **options)


PETS = ["cat", "dog"] * 10


# --- classes ------------------------------------------------------------------------------------


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("head", [("filename", "label"), ("Image Path", "Class"), ()])
def test_classes_of_any_csv(folder, tmp_path, delimiter, encoding, head):
    table = write(
        tmp_path / "t.csv", head, [(name(i), PETS[i]) for i in range(20)],
        delimiter=delimiter, encoding=encoding,
    )  # fmt: skip
    found = read(folder, table)
    assert found.task == "classes" and found.classes == ["cat", "dog"]
    assert by_name(found) == {name(i): i % 2 for i in range(20)}
    assert len(found.test_labels) == 4 and found.train_labels.dtype == np.int64
    assert found.split and found.folder == str(folder)


@pytest.mark.parametrize(
    "written",
    [
        lambda i: name(i),
        lambda i: "./" + name(i),
        lambda i: name(i).replace("/", "\\"),
        lambda i: "C:\\data\\pets\\" + name(i).replace("/", "\\"),
        lambda i: "/home/someone/else/" + name(i),
        lambda i: f"{i}.png",
        lambda i: f"{i}.PNG",
        lambda i: f"{i}",
        lambda i: f"  {name(i)} ",
        lambda i: f"photos/{i}.png",
    ],
)
def test_names_of_images_as_people_write_them(folder, tmp_path, written):
    table = write(tmp_path / "t.csv", ("id", "breed"), [(written(i), PETS[i]) for i in range(20)])
    assert by_name(read(folder, table)) == {name(i): i % 2 for i in range(20)}


def test_paths_below_the_tables_own_folder(folder, tmp_path):
    rows = [(f"{folder.name}/{name(i)}", PETS[i]) for i in range(20)]
    table = write(folder.parent / "beside.csv", ("file", "class"), rows)
    assert len(by_name(read(folder, table))) == 20


def test_a_table_may_be_the_source(folder):
    table = write(folder / "labels.csv", ("file", "class"), [(name(i), PETS[i]) for i in range(20)])
    try:
        assert by_name(load(table, cache=False)) == {name(i): i % 2 for i in range(20)}
    finally:
        table.unlink()


def test_accents_are_the_same_however_they_are_written(tmp_path):
    pixels = np.zeros((8, 8), np.uint8)
    for number, animal in enumerate(("Bär", "Möwe")):
        for count in range(3):
            stored = unicodedata.normalize("NFD", f"{animal}{count}.png")
            Image.fromarray(pixels + 50 * number + count).save(tmp_path / stored)
    rows = [
        (unicodedata.normalize("NFC", f"{animal}{count}.png"), animal)
        for animal in ("Bär", "Möwe")
        for count in range(3)
    ]
    for encoding in ("utf-8", "cp1252"):
        table = write(tmp_path / "t.csv", ("file", "Klasse"), rows, encoding=encoding)
        found = read(tmp_path, table, label_columns=["Klasse"])
        assert found.classes == ["Bär", "Möwe"]
        assert len(found.train_labels) + len(found.test_labels) == 6
        assert any("is not UTF-8" in note for note in found.notes) == (encoding == "cp1252")


def test_quotes_and_lines_in_cells(folder, tmp_path):
    rows = [(name(i), ["cat, small", 'dog "big"\nloud'][i % 2], "x") for i in range(20)]
    found = read(folder, write(tmp_path / "t.csv", ("file", "label", "by"), rows))
    assert found.classes == ["cat, small", 'dog "big"\nloud']


def test_lists_of_paths_and_numbers_without_a_head(folder, tmp_path):
    table = tmp_path / "train.txt"
    table.write_text("".join(f"{name(i)} {i % 3}\n" for i in range(20)))
    found = read(folder, table)
    assert found.task == "classes" and found.classes == ["0", "1", "2"]
    assert by_name(found) == {name(i): i % 3 for i in range(20)}


def test_what_excel_and_pandas_add(folder, tmp_path):
    lines = ["sep=;", ";file;label;;"]
    lines += [f"{i};{name(i)};{PETS[i]};;" for i in range(20)] + [";;;;", ""]
    table = tmp_path / "t.csv"
    table.write_text("\r\n".join(lines))
    assert by_name(read(folder, table)) == {name(i): i % 2 for i in range(20)}


def test_one_hot_columns_are_classes(folder, tmp_path):
    rows = [(name(i), float(i % 3 == 0), float(i % 3 == 1), float(i % 3 == 2)) for i in range(20)]
    table = write(tmp_path / "t.csv", ("image", "MEL", "NV", "BCC"), rows)
    found = read(folder, table)
    assert found.task == "classes" and found.classes == ["MEL", "NV", "BCC"]
    assert any("read as classes" in note for note in found.notes)
    assert by_name(found) == {name(i): i % 3 for i in range(20)}
    several = read(folder, table, task="labels")
    assert several.task == "labels" and several.train_labels.sum(axis=1).tolist() == [1] * 16


def test_numbers_and_names_of_the_same_classes(folder, tmp_path):
    rows = [(name(i), i % 2, PETS[i]) for i in range(20)]
    found = read(folder, write(tmp_path / "t.csv", ("file", "class_id", "class_name"), rows))
    assert found.classes == ["cat", "dog"]


# --- labels -------------------------------------------------------------------------------------

TAGS = [["cat"], ["dog"], ["cat", "dog"], [], ["bird", "cat"]] * 4
FLAGS = {name(i): [float(t in TAGS[i]) for t in ("bird", "cat", "dog")] for i in range(20)}


@pytest.mark.parametrize(
    "cell",
    [
        ";".join,
        "; ".join,
        "|".join,
        ",".join,
        lambda tags: str(tags),
        lambda tags: "[" + ", ".join(tags) + "]",
        lambda tags: str(np.array(tags)),
    ],
)
def test_several_labels_in_a_cell(folder, tmp_path, cell):
    rows = [(name(i), cell(TAGS[i])) for i in range(20)]
    found = read(folder, write(tmp_path / "t.csv", ("file", "tags"), rows))
    assert found.task == "labels" and found.classes == ["bird", "cat", "dog"]
    assert found.train_labels.dtype == np.float32
    assert by_name(found) == FLAGS
    assert any("4 images without any label" in note for note in found.notes)


def test_commas_in_cells_part_labels_or_belong_to_names(folder, tmp_path):
    def tasks(head, cells):
        rows = [(name(i), cells[i % len(cells)]) for i in range(20)]
        found = read(folder, write(tmp_path / "t.csv", ("file", head), rows))
        return found.task, found.classes

    names = ["cat, small", "dog, large"]
    assert tasks("animal", names) == ("classes", names)
    assert tasks("tags", names) == ("labels", ["cat", "dog", "large", "small"])
    assert tasks("animal", ["cat", "cat,dog"]) == ("labels", ["cat", "dog"])
    assert tasks("animal", ["paper", "paper cup"]) == ("classes", ["paper", "paper cup"])


def test_labels_parted_by_spaces_and_by_what_the_user_says(folder, tmp_path):
    rows = [(name(i), " ".join(TAGS[i])) for i in range(20)]
    table = write(tmp_path / "t.csv", ("file", "tags"), rows)
    for options in ({"separator": " "}, {"task": "labels", "separator": " "}):
        assert by_name(read(folder, table, **options)) == FLAGS
    # "golden retriever" is one class, whatever parts other tables.
    rows = [(name(i), ["golden retriever", "toy poodle"][i % 2]) for i in range(20)]
    found = read(folder, write(tmp_path / "u.csv", ("file", "breed"), rows))
    assert found.classes == ["golden retriever", "toy poodle"]
    rows = [(name(i), "/".join(TAGS[i])) for i in range(20)]
    table = write(tmp_path / "v.csv", ("file", "tags"), rows)
    assert by_name(read(folder, table, separator="/")) == FLAGS


@pytest.mark.parametrize(
    ("yes", "no"),
    [("1", "0"), ("1.0", "0.0"), ("True", "False"), ("yes", "no"), ("x", ""), ("1", "-1")],
)
def test_a_column_for_each_label(folder, tmp_path, yes, no):
    rows = [(name(i), *(yes if f else no for f in FLAGS[name(i)])) for i in range(20)]
    found = read(folder, write(tmp_path / "t.csv", ("image_id", "bird", "cat", "dog"), rows))
    assert found.task == "labels" and found.classes == ["bird", "cat", "dog"]
    assert by_name(found) == FLAGS


def test_a_row_for_each_image_and_label(folder, tmp_path):
    rows = [(name(i), tag) for i in range(20) for tag in TAGS[i] or [""]]
    table = write(tmp_path / "t.csv", ("file", "label"), rows)
    found = read(folder, table)
    assert found.task == "labels" and by_name(found) == FLAGS
    assert any("8 images have several rows with different classes" in n for n in found.notes)
    assert any(note.startswith("8 images in several rows of the table, 16") for note in found.notes)


def test_labels_keep_their_shares_in_both_parts(folder, tmp_path):
    rows = [(name(i), ";".join(TAGS[i])) for i in range(20)]
    found = read(folder, write(tmp_path / "t.csv", ("file", "tags"), rows), test_fraction=0.25)
    assert len(found.test_labels) == 5
    np.testing.assert_allclose(found.test_labels.sum(axis=0), [1, 3, 2], atol=1)
    assert "with 3 labels, split with seed 0: bird (4), cat (12), dog (8)" in found.notes[0]


# --- numbers ------------------------------------------------------------------------------------


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_numbers(folder, tmp_path, delimiter):
    comma = delimiter != ","
    values = [20.5 + i for i in range(20)]
    rows = [(name(i), str(values[i]).replace(".", "," if comma else ".")) for i in range(20)]
    table = write(tmp_path / "t.csv", ("file", "degrees"), rows, delimiter=delimiter)
    found = read(folder, table)
    assert found.task == "numbers" and found.classes == ["degrees"]
    assert found.train_labels.dtype == np.float64
    assert by_name(found) == {name(i): [values[i]] for i in range(20)}
    assert "with 1 number, split with seed 0: degrees (20.5 … 39.5)" in found.notes[0]
    # Small and large ones in both parts.
    assert found.test_labels.min() < 30 < found.test_labels.max()


def test_several_numbers_and_missing_ones(folder, tmp_path):
    rows = [(name(i), i / 2, "nan" if i == 3 else i * 10) for i in range(20)]
    found = read(folder, write(tmp_path / "t.csv", ("file", "x", "y"), rows))
    assert found.task == "numbers" and found.classes == ["x", "y"]
    assert name(3) not in by_name(found)
    assert any("1 image left out, without a label in the table (a/3.png)" in n for n in found.notes)
    one = read(folder, tmp_path / "t.csv", label_columns="y")
    assert one.classes == ["y"] and len(by_name(one)) == 19


def test_whole_numbers_may_be_counts_or_classes(folder, tmp_path):
    rows = [(name(i), i % 5) for i in range(20)]
    table = write(tmp_path / "t.csv", ("file", "petals"), rows)
    with pytest.raises(DataError, match=r"'petals' has 5 different whole numbers.*--task classes"):
        read(folder, table)
    assert read(folder, table, task="classes").classes == ["0", "1", "2", "3", "4"]
    assert read(folder, table, task="numbers").train_labels.shape == (16, 1)
    named = write(tmp_path / "u.csv", ("file", "count"), rows)
    assert read(folder, named).task == "numbers"
    assert read(folder, write(tmp_path / "v.csv", ("file", "class"), rows)).task == "classes"


# --- parts --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "words"),
    [
        ("split", ("train", "test", "val")),
        ("Usage", ("Training", "PublicTest", "Validation")),
        ("subset", ("training", "testing", "dev")),
    ],
)
def test_a_column_of_parts(folder, tmp_path, column, words):
    if column == "Usage":
        words = ("Training", "Test", "Validation")
    rows = [(name(i), PETS[i], words[0 if i < 12 else 1 if i < 16 else 2]) for i in range(20)]
    found = read(folder, write(tmp_path / "t.csv", ("file", "label", column), rows))
    assert [len(part.labels) for part in found.parts.values()] == [12, 4, 4]
    assert found.test_paths == [str(folder / name(i)) for i in range(12, 16)]
    assert not found.split
    without = read(folder, tmp_path / "t.csv", validation=False)
    assert list(without.parts) == ["train", "test"]


def test_a_column_that_tells_one_part(folder, tmp_path):
    rows = [(name(i), PETS[i], i >= 15) for i in range(20)]
    found = read(folder, write(tmp_path / "t.csv", ("fname", "label", "is_valid"), rows))
    assert (len(found.train_labels), len(found.test_labels)) == (15, 5)


def test_parts_by_folders(tmp_path):
    rng = np.random.default_rng(0)
    rows = []
    for part, count in (("train", 6), ("test", 4)):
        (tmp_path / part).mkdir()
        for i in range(count):
            Image.fromarray(rng.integers(0, 255, (8, 8), dtype=np.uint8)).save(
                tmp_path / part / f"{i}.png"
            )
            rows.append((f"{part}/{i}.png", PETS[i]))
    found = read(tmp_path, write(tmp_path / "t.csv", ("file", "label"), rows))
    assert (len(found.train_labels), len(found.test_labels)) == (6, 4)
    assert any("parts by the folders test, train" in note for note in found.notes)


# --- what does not fit --------------------------------------------------------------------------


def test_what_is_missing_is_told_with_numbers_and_examples(folder, tmp_path):
    rows = [(name(i), PETS[i]) for i in range(15)]
    rows += [("gone.png", "cat"), ("lost.png", "dog"), (name(1), "dog"), (name(2), "")]
    found = read(folder, write(tmp_path / "t.csv", ("file", "label"), rows))
    said = "\n".join(found.notes)
    assert "2 rows left out, whose images are not there (gone.png, lost.png)" in said
    assert (
        "5 images not used, without a row in t.csv (b/15.png, b/16.png, b/17.png and 2 more)"
        in said
    )
    assert "2 images in several rows of the table, 4 in all (a/1.png, a/2.png)" in said
    assert by_name(found) == {name(i): i % 2 for i in range(15)}


@pytest.mark.parametrize(
    ("head", "rows", "options", "message"),
    [
        ("file,label", "no.png,a;no.png,a", {}, "none of the 2 images in its column 'file'"),
        ("file,a,b", "@0,u,v;@1,w,q", {}, "say which holds the labels"),
        ("x,y", "u,v;w,q", {}, "none of its columns, 'x', 'y', names image"),
        ("file,mask,l", "@0,@1,u;@1,@0,v", {"label_columns": ["l"]}, None),
        ("a,b,l", "@0,@1,u;@1,@0,v", {}, "its columns 'a' and 'b' name image files"),
        ("file,label", "@0,u;@1,v", {"label_columns": ["kind"]}, "'kind' is none of"),
        ("file,label", "@0,u;@1,v", {"path_column": "label"}, "none of the 2 images in its"),
        (
            "file,label",
            "@0,u;@1,v",
            {"path_column": "label", "label_columns": "label"},
            "must be different",
        ),
        ("file,label", "@0,u;@1,u", {}, "holds one class only"),
        (
            "file,label",
            "@0,u;@0,v;" + ";".join(f"@{i},u" for i in range(1, 20)),
            {},
            r"1 image has rows with different classes \(a/0.png: u and v\)",
        ),
        ("file,n", "@0,1.5;@1,z", {"task": "numbers"}, "line 3: 'z' in the column"),
        ("file,n", "@0,1.5;@1,inf", {"task": "numbers"}, "'inf' .* is not a number"),
        ("file,n", "@0,1.5;@0,2.5", {"task": "numbers"}, r"has two numbers .* 1\.5 and"),
        (
            "file,l,split",
            "@0,u,train;@1,v,later",
            {"split_column": "split"},
            "'later' in the column 'split' is none of train",
        ),
        ("file,l", "@0,u;@1,v", {"task": "kinds"}, "task must be 'classes', 'labels'"),
        ("file,l", "", {}, "holds no labels, only the row file, l"),
        ("file", "@0", {}, "has one column only"),
        (
            "file,a,b",
            "@0,1,1;@1,0,1",
            {"task": "classes"},
            r"1 image, the first is a/0\.png, has 2 of the classes",
        ),
    ],
)
def test_what_cannot_be_read_is_one_sentence(folder, tmp_path, head, rows, options, message):
    """Rows are parted by semicolons, and @0 is the name of image 0."""
    cells = [
        [name(int(cell[1:])) if cell.startswith("@") else cell for cell in row.split(",")]
        for row in rows.split(";")
        if row
    ]
    table = write(tmp_path / "t.csv", head.split(","), cells)
    if message is None:
        assert read(folder, table, test_fraction=0, **options).classes == ["u", "v"]
        return
    with pytest.raises(DataError, match=message) as told:
        read(folder, table, **options)
    assert len(str(told.value)) <= 500 + len(str(tmp_path)) + len(str(folder))


def test_names_of_several_images(folder, tmp_path):
    other = tmp_path / "images"
    for part in ("one", "two"):
        (other / part).mkdir(parents=True)
        Image.fromarray(np.zeros((8, 8), np.uint8)).save(other / part / "0.png")
    table = write(tmp_path / "t.csv", ("file", "label"), [("0.png", "u"), ("one/0.png", "v")])
    with pytest.raises(DataError, match=r"'0.png' may be several images \(one/0.png, two/0.png\)"):
        read(other, table)


def test_options_of_tables_without_a_table(folder):
    with pytest.raises(DataError, match="path_column is of a table of labels: name the table"):
        load(folder, path_column="x")
    with pytest.raises(DataError, match="there is no such table of labels"):
        load(folder, labels=folder / "none.csv")
    with pytest.raises(DataError, match="is not a folder of images"):
        load(folder / "a" / "0.png", labels=folder / "none.csv")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "it is empty"),
        (b"\n\n", "it is empty"),
        (b"a,b\0\nc,d", "is not a table of text"),
        (b"file,label\na.png,b,c\n", "line 2 has 3 cells, but there are 2 columns"),
        (b'file,label\n"a.png,b\n' + b"x" * 200_000, "field larger than field limit"),
    ],
)
def test_damaged_tables(tmp_path, content, message):
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_table(path)


# --- Parquet ------------------------------------------------------------------------------------


def test_parquet(folder, tmp_path):
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    table = arrow.table({"file": [name(i) for i in range(20)], "tags": TAGS, "raw": [b"\0\1"] * 20})
    parquet.write_table(table, tmp_path / "t.parquet")
    assert by_name(read(folder, tmp_path / "t.parquet")) == FLAGS
    numbers = arrow.table(
        {"file": [name(i) for i in range(20)], "mass": [None, *(i / 2 for i in range(1, 20))]}
    )
    parquet.write_table(numbers, tmp_path / "n.parquet")
    found = read(folder, tmp_path / "n.parquet")
    assert found.task == "numbers" and len(by_name(found)) == 19
    content = (tmp_path / "t.parquet").read_bytes()
    for damaged in (content[: len(content) // 2], content[:200] + b"\xff" * 50 + content[250:]):
        (tmp_path / "d.parquet").write_bytes(damaged)
        with pytest.raises(DataError, match=r"d\.parquet"):
            read(folder, tmp_path / "d.parquet")


def test_parquet_without_its_package(tmp_path, monkeypatch):
    (tmp_path / "t.parquet").write_bytes(b"PAR1")
    monkeypatch.setattr("striate.common.optional.find_spec", lambda package: None)
    with pytest.raises(ImportError, match=r"pip install 'striate\[parquet\]'"):
        read_table(tmp_path / "t.parquet")


# --- anything at all ----------------------------------------------------------------------------

CELLS = st.sampled_from(
    [
        "a.png",
        "b.png",
        "c",
        "1",
        "0",
        "-1",
        "1.5",
        "nan",
        "",
        "x",
        "cat;dog",
        "['a']",
        '"',
        ",",
        "é",
    ]
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.binary(max_size=200)
    | st.lists(st.lists(CELLS, min_size=1, max_size=4), max_size=8).map(
        lambda rows: "\n".join(",".join(row) for row in rows).encode()
    ),
    task=st.sampled_from([None, *TASKS]),
)
def test_any_file_is_read_or_refused_in_a_sentence(tmp_path, content, task):
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    try:
        table = read_table(path)
        given_options = LabelOptions(str(path), task=task)
        columns = find_columns(table, given_options, lambda cell: True)
        rows = [[row] for row in range(len(table))]
        made = image_labels(table, columns.labels, rows, given_options, str)
    except DataError as error:
        assert str(error).startswith(str(path))
        return
    assert made.task == (task or made.task)
    assert len(made.values) == made.kept.sum() and len(made.kept) == len(table)
    assert made.values.shape[1:] == (() if made.task == "classes" else (len(made.names),))
