from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

import streamware as sw
from readers import csv_rows, ndjson_rows

pytest.importorskip("django", reason="skipped: needs Django")
pytest.importorskip("rest_framework", reason="skipped: needs Django REST framework")

import django_site  # noqa: F401  # isort: skip - it makes the settings
from rest_framework import serializers

from streamware.frameworks._support.serializer_rows import represented, serialized


class Person(serializers.Serializer):  # type: ignore[misc]
    name = serializers.CharField(label="Called")
    born = serializers.DateField()


class Parcel(serializers.Serializer):  # type: ignore[misc]
    weight = serializers.DecimalField(max_digits=6, decimal_places=2, label="Weight (kg)")
    sender = Person(required=False)
    lines = Person(many=True, default=list)


class Folder(serializers.Serializer):  # type: ignore[misc]
    name = serializers.CharField()

    def get_fields(self) -> dict[str, Any]:
        return {**super().get_fields(), "parent": Folder(required=False)}


ANN = {"name": "Ann", "born": date(1980, 1, 2)}
PARCELS = [{"weight": Decimal("1.5"), "sender": ANN, "lines": [ANN]}, {"weight": Decimal(2)}]


def document(rows: Any, serializer: Any, format: Any = "csv", **chosen: Any) -> Any:  # noqa: A002
    options = {"columns": None, "titles": "label", "nests": format == "ndjson", **chosen}
    source, columns = serialized(rows, serializer, **options)
    return b"".join(sw.encode(source, format, columns=columns))


def test_serializers_within_are_columns_and_those_of_many_are_json() -> None:
    assert csv_rows(document(PARCELS, Parcel(many=True))) == [
        ["Weight (kg)", "Sender: Called", "Sender: Born", "Lines"],
        ["1.50", "Ann", "1980-01-02", '[{"name":"Ann","born":"1980-01-02"}]'],
        ["2.00", "", "", ""],
    ]


def test_a_serializer_within_its_own_class_is_one_column() -> None:
    folders = [{"name": "a", "parent": {"name": "b", "parent": {"name": "c"}}}, {"name": "d"}]
    assert csv_rows(document(folders, Folder(many=True))) == [
        ["Name", "Parent"],
        ["a", '{"name":"b","parent":{"name":"c"}}'],
        ["d", ""],
    ]


def test_json_has_names_and_objects_within_objects() -> None:
    lines = ndjson_rows(document(PARCELS, Parcel(many=True), "ndjson", titles="name"))
    shown = Parcel(PARCELS, many=True).data
    assert lines == [dict(shown[0]), {**shown[1], "sender": None}]


def test_an_object_within_is_read_once_for_all_its_columns() -> None:
    asked: list[str] = []

    class Asked(serializers.Serializer):  # type: ignore[misc]
        sender = Person()

    class Box:
        def sender(self) -> Any:
            asked.append("sender")
            return ANN

    assert len(csv_rows(document([Box()], Asked(many=True)))) == 2
    assert asked == ["sender"]
    assert csv_rows(document([Box()], Asked(many=True), columns=["sender.born"]))[0] == [
        "Sender: Born"
    ]


def test_a_field_that_is_not_chosen_is_not_read() -> None:
    class Slow(Person):
        def get_slow(self, row: Any) -> Any:
            raise AssertionError

        slow = serializers.SerializerMethodField()

    rows = csv_rows(document([ANN], Slow(many=True), columns=["born", "name"]))
    assert rows == [["Born", "Called"], ["1980-01-02", "Ann"]]


def test_rows_are_closed_and_read_in_small_batches() -> None:
    ended: list[int] = []

    def endless() -> Iterator[Any]:
        at = 0
        try:
            while True:
                yield ANN
                at += 1
        finally:
            ended.append(at)

    source, columns = serialized(
        endless(), Person(many=True), columns=None, titles="name", nests=False
    )
    with sw.encode(source, columns=columns) as chunks:
        next(chunks)
    assert len(ended) == 1


def test_what_a_view_has_represented_keeps_labels_and_kinds() -> None:
    rows = represented(Parcel(PARCELS[:1], many=True).data, "label", nests=False)
    assert list(rows) == [
        [Decimal("1.50"), "Ann", date(1980, 1, 2), [{"name": "Ann", "born": "1980-01-02"}]]
    ]
