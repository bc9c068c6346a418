"""Which store a URL, a path or a store of obstore names."""

import sys
from pathlib import Path
from typing import Any

import pytest

import streamware as sw
from fakes import orders
from stores.started import started
from streamware.stores.opening import local_path, open_store, split_url

started()


@pytest.mark.parametrize(
    ("url", "bucket", "path"),
    [
        ("s3://exports/2026/orders.csv", "s3://exports", "2026/orders.csv"),
        ("S3://Exports/a", "s3://Exports", "a"),
        ("s3a://exports", "s3a://exports", ""),
        ("gs://exports/", "gs://exports", ""),
        ("az://container/a b?c#d%20e", "az://container", "a b?c#d%20e"),
        ("abfs://container@account.dfs.core.windows.net/a", None, "a"),
        ("memory://", "memory://", ""),
        ("memory:///a/b", "memory://", "a/b"),
        ("memory://a/b", "memory://", "a/b"),
    ],
)
def test_a_url_has_a_bucket_and_a_path_that_is_taken_as_it_is(
    url: str, bucket: str | None, path: str
) -> None:
    assert split_url(url) == (bucket or url.rpartition("/")[0], path)


@pytest.mark.parametrize("url", ["s3://", "s3:///a.csv", "gs:///"])
def test_a_url_without_a_bucket_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"names no bucket; \w+://bucket/path is expected"):
        split_url(url)


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("a.csv", "a.csv"),
        ("/a/b.csv", "/a/b.csv"),
        (Path("a.csv"), "a.csv"),
        ("file:///var/exports/a%20b.csv", "/var/exports/a b.csv"),
        ("file://localhost/var/a.csv", "/var/a.csv"),
        ("FILE:///a", "/a"),
        ("s3:a.csv", "s3:a.csv"),
        ("s3:/exports/a.csv", "s3:/exports/a.csv"),
    ],
)
def test_a_path_and_a_file_url_name_a_file(target: Any, path: str) -> None:
    assert local_path(target) == Path(path)


@pytest.mark.parametrize("url", ["s3://b/a", "memory://", "az://b", "gs://b"])
def test_the_url_of_a_store_names_no_file(url: str) -> None:
    assert local_path(url) is None


@pytest.mark.parametrize("url", ["file://host/a", "file://", "file://a.csv"])
def test_a_file_url_of_another_host_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="a file URL has three slashes"):
        local_path(url)


@pytest.mark.parametrize(
    "url", ["ftp://a/b", "https://b.s3.amazonaws.com/a", "s4://b/a", "gcs://b"]
)
def test_a_scheme_that_no_store_has_is_refused_and_those_known_are_named(url: str) -> None:
    with pytest.raises(ValueError, match=r"no store has URLs with \w+://; .*s3://.*gs://.*az://"):
        open_store(url)
    with pytest.raises(ValueError, match="no store has URLs"):
        sw.save(orders(3), url, "csv")


def test_a_path_that_was_a_url_is_told_from_a_path() -> None:
    with pytest.raises(ValueError, match="was a URL before it became a Path; pass the URL as text"):
        sw.save(orders(3), Path("s3://exports/orders.csv"))


@pytest.mark.parametrize("where", [17, None, b"s3://b", object()])
def test_what_is_no_store_is_refused(where: object) -> None:
    with pytest.raises(TypeError, match="a store is a URL, the path of a folder or a store of"):
        open_store(where)


def test_a_store_is_returned_as_it_is() -> None:
    store = open_store("memory://")
    assert open_store(store) is store


def test_stores_say_what_they_are(tmp_path: Path) -> None:
    from obstore.store import MemoryStore

    assert repr(open_store(tmp_path)) == f"Folder({str(tmp_path)!r})"
    assert repr(open_store("memory://a")) == "Bucket('memory://a/')"
    assert "MemoryStore" in repr(open_store(MemoryStore()))


@pytest.mark.parametrize("url", ["memory://a.csv", "s3://b/a.csv"])
def test_without_the_extra_its_name_is_in_the_error_and_nothing_is_opened(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in list(sys.modules):
        if name.partition(".")[0] == "obstore" or name == "streamware.stores.bucket":
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "obstore", None)
    with pytest.raises(ImportError, match=r"pip install 'streamware-exports\[stores\]'"):
        sw.save(orders(3), url)


def test_a_folder_needs_no_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "obstore", None)
    with open_store(tmp_path).writer("a") as upload:
        upload.write(b"x")
    assert [found.path for found in open_store(tmp_path).list()] == ["a"]


def test_a_store_that_is_not_configured_is_a_value_error_before_any_row_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_ACCOUNT"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ValueError, match=r"cannot be opened as it is configured: .*Account"):
        sw.save(orders(3), "az://container/a.csv")
