import hashlib

import pytest

from streamware.http import beginnings
from streamware.http.beginnings import Comparison, Recorder, remember


def compared(name: str, *chunks: bytes) -> bool:
    comparison = Comparison(name)
    for chunk in chunks:
        comparison.add(chunk)
    return comparison.differs


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    beginnings._sent.clear()
    monkeypatch.setattr(beginnings, "_MOST", 2)


def test_a_document_begins_as_the_one_that_was_sent() -> None:
    recorder = Recorder("a")
    assert recorder(b"12345", last=False, flush=True) == b"12345"
    assert recorder(b"67", last=False, flush=False) == b"67"
    assert not compared("a", b"123", b"4567", b"89")
    assert compared("a", b"123", b"4568", b"89")
    assert compared("a", b"123", b"456")  # it is shorter


def test_of_another_document_nothing_is_known() -> None:
    Recorder("a")(b"12345", last=True, flush=True)
    assert not compared("b", b"other")


def test_a_recorder_of_which_nothing_was_sent_changes_nothing() -> None:
    remember("a", 1, hashlib.sha256(b"1").hexdigest())
    Recorder("a")
    assert compared("a", b"2")


def test_what_was_sent_longest_ago_is_forgotten() -> None:
    for name in ("a", "b", "a", "c"):
        remember(name, 1, hashlib.sha256(b"1").hexdigest())
    assert [compared(name, b"2") for name in "abc"] == [True, False, True]
