"""Frames of pandas are rows: an index only with a name, what is missing is empty."""

import sys
from typing import Any

import pytest

import streamware as sw
from readers import calamine_rows, csv_rows, json_rows

pd = pytest.importorskip("pandas", reason="needs pandas")
np = pytest.importorskip("numpy", reason="needs numpy")


def table(rows: Any, **options: Any) -> list[list[str]]:
    return csv_rows(b"".join(sw.encode(rows, "csv", **options)))


def frame() -> Any:
    return pd.DataFrame(
        {
            "month": pd.period_range("2024-01", periods=2, freq="M"),
            "n": [1.5, np.nan],
            "at": [pd.Timestamp("2024-05-06 07:08"), pd.NaT],
            "i": pd.array([1, None], dtype="Int64"),
            "flag": pd.array([None, True], dtype="boolean"),
            "word": pd.Categorical(["x", None]),
            "mixed": [1, "a"],
        }
    )


EXPECTED = [
    ["month", "n", "at", "i", "flag", "word", "mixed"],
    ["2024-01", "1.5", "2024-05-06T07:08:00", "1", "", "x", "1"],
    ["2024-02", "", "", "", "true", "", "a"],
]


def test_a_frame_is_read_by_rows_without_its_nameless_index() -> None:
    assert table(frame()) == EXPECTED
    assert table(frame().set_index(pd.Index([7, 9]))) == EXPECTED


@pytest.mark.parametrize(
    "rows",
    [
        frame,
        lambda: frame().itertuples(index=False),
        lambda: frame().to_dict("records"),
        lambda: [row for _, row in frame().iterrows()],
    ],
    ids=["a callable", "itertuples", "records", "iterrows"],
)
def test_the_rows_of_a_frame_are_the_same_however_they_come(rows: Any) -> None:
    assert table(rows) == EXPECTED


def test_a_frame_needs_no_arrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert table(frame()) == EXPECTED


def test_an_index_with_a_name_is_the_first_column() -> None:
    assert table(frame().set_index("i"))[0] == ["i", *(t for t in EXPECTED[0] if t != "i")]
    counted = frame()["month"].value_counts(sort=False)
    assert table(counted) == [["month", "count"], ["2024-01", "1"], ["2024-02", "1"]]


def test_the_levels_of_an_index_are_columns() -> None:
    totals = frame().groupby(["month", "mixed"])[["n"]].sum()
    assert table(totals) == [
        ["month", "mixed", "n"],
        ["2024-01", "1", "1.5"],
        ["2024-02", "a", "0.0"],
    ]


@pytest.mark.parametrize(
    ("columns", "titles"),
    [
        ([0, 1], ["0", "1"]),
        (["a", "a"], ["a", "a"]),
        (pd.MultiIndex.from_tuples([("n", "sum"), ("n", "")]), ["n.sum", "n"]),
    ],
)
def test_columns_may_have_any_labels(columns: Any, titles: list[str]) -> None:
    assert table(pd.DataFrame([[1, 2]], columns=columns)) == [titles, ["1", "2"]]


def test_a_series_is_one_column() -> None:
    assert table(pd.Series([1, 2], name="a")) == [["a"], ["1"], ["2"]]


def test_an_index_is_a_column_for_each_of_its_levels() -> None:
    assert table(pd.Index(["x"], name="a")) == [["a"], ["x"]]
    assert table(pd.MultiIndex.from_tuples([(1, "x")], names=["a", None])) == [
        ["a", "1"],
        ["1", "x"],
    ]


@pytest.mark.parametrize("pairs", ["iterrows", "items"])
def test_pairs_with_rows_of_a_frame_are_an_error(pairs: str) -> None:
    with pytest.raises(sw.EncodeError, match=r"pair with a Series .*; pass the frame itself"):
        table(getattr(frame(), pairs)())


def test_pairs_with_frames_are_an_error() -> None:
    with pytest.raises(
        sw.EncodeError, match=r"pair with a DataFrame.*\[sw.Sheet\(str\(key\), group"
    ):
        table(iter(frame().groupby("mixed")))


def test_an_empty_frame_has_its_header() -> None:
    assert table(frame().iloc[:0]) == EXPECTED[:1]


def test_a_long_frame_is_read_to_its_end() -> None:
    rows = table(pd.DataFrame({"a": range(5000)}))
    assert [int(row[0]) for row in rows[1:]] == list(range(5000))


@pytest.mark.parametrize("form", ["xlsx", "ods"])
def test_a_frame_is_a_workbook(form: str) -> None:
    data = b"".join(sw.encode(frame(), form))
    assert calamine_rows(data)[2] == ["2024-02", "", "", "", True, "", "a"]


def test_lost_nanoseconds_of_a_frame_are_counted() -> None:
    moments = pd.to_datetime([1, None, 1_000], unit="ns")
    encoding = sw.encode(pd.DataFrame({"at": moments}), "json")
    assert [row["at"] for row in json_rows(b"".join(encoding))] == [
        "1970-01-01T00:00:00",
        None,
        "1970-01-01T00:00:00.000001",
    ]
    assert encoding.receipt.converted == {"nanosecond": 1}


def test_values_of_arrow_in_a_frame_are_those_of_python() -> None:
    pyarrow = pytest.importorskip("pyarrow", reason="needs pyarrow")
    made = pyarrow.table({"a": [1, None], "l": [[1, 2], None]})
    assert table(made.to_pandas(types_mapper=pd.ArrowDtype))[1:] == [["1", "[1,2]"], ["", ""]]
    assert table(made.to_pandas())[1:] == [["1.0", "[1,2]"], ["", ""]]


def test_a_frame_among_the_rows_is_an_error() -> None:
    with pytest.raises(sw.EncodeError, match="row 2 must not be a DataFrame"):
        table(iter([(1,), frame()]))


def test_columns_are_chosen_from_a_frame_with_their_kinds() -> None:
    columns = [sw.Column("at", kind="date"), sw.Column("n", kind="text")]
    assert table(frame(), columns=columns)[1:] == [["2024-05-06", "1.5"], ["", ""]]
