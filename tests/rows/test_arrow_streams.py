"""Arrow streams of any producer: malformed ones are errors, and each is released once."""

import ctypes as ct
import errno
import gc
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

import streamware as sw
from streamware.formats.kernel_rows import KINDS
from streamware.kernel import native

pytestmark = pytest.mark.skipif(native is None, reason="skipped: needs the compiled kernel")


class Schema(ct.Structure):
    pass


class Array(ct.Structure):
    pass


class Stream(ct.Structure):
    pass


SCHEMA_RELEASE = ct.CFUNCTYPE(None, ct.POINTER(Schema))
ARRAY_RELEASE = ct.CFUNCTYPE(None, ct.POINTER(Array))
STREAM_RELEASE = ct.CFUNCTYPE(None, ct.POINTER(Stream))
GET_SCHEMA = ct.CFUNCTYPE(ct.c_int, ct.POINTER(Stream), ct.POINTER(Schema))
GET_NEXT = ct.CFUNCTYPE(ct.c_int, ct.POINTER(Stream), ct.POINTER(Array))
GET_ERROR = ct.CFUNCTYPE(ct.c_void_p, ct.POINTER(Stream))

Schema._fields_ = [
    ("format", ct.c_char_p),
    ("name", ct.c_char_p),
    ("metadata", ct.c_char_p),
    ("flags", ct.c_int64),
    ("n_children", ct.c_int64),
    ("children", ct.POINTER(ct.POINTER(Schema))),
    ("dictionary", ct.POINTER(Schema)),
    ("release", SCHEMA_RELEASE),
    ("private_data", ct.c_void_p),
]
Array._fields_ = [
    ("length", ct.c_int64),
    ("null_count", ct.c_int64),
    ("offset", ct.c_int64),
    ("n_buffers", ct.c_int64),
    ("n_children", ct.c_int64),
    ("buffers", ct.POINTER(ct.c_void_p)),
    ("children", ct.POINTER(ct.POINTER(Array))),
    ("dictionary", ct.POINTER(Array)),
    ("release", ARRAY_RELEASE),
    ("private_data", ct.c_void_p),
]
Stream._fields_ = [
    ("get_schema", GET_SCHEMA),
    ("get_next", GET_NEXT),
    ("get_last_error", GET_ERROR),
    ("release", STREAM_RELEASE),
    ("private_data", ct.c_void_p),
]

_new = ct.pythonapi.PyCapsule_New
_new.restype, _new.argtypes = ct.py_object, [ct.c_void_p, ct.c_char_p, ct.c_void_p]


class Producer:
    """A stream of hand-made arrays, which records what is released.

    Args:
        schema: The schema of the rows.
        batches: What makes each array, or an error to report in its place.
    """

    def __init__(self, schema: Schema, batches: Sequence[Callable[[], Array] | int]) -> None:
        self.released: list[str] = []  # in their order
        self.made = 0  # arrays and schemas
        self._schema = schema
        self._batches = list(batches)
        self._error = ct.create_string_buffer(b"no more \xff disks")
        # The callbacks have to live as long as the stream.
        self._releases = (
            SCHEMA_RELEASE(lambda at: self._release("schema", at)),
            ARRAY_RELEASE(lambda at: self._release("array", at)),
            STREAM_RELEASE(lambda at: self._release("stream", at)),
        )
        self._calls = (
            GET_SCHEMA(self._get_schema),
            GET_NEXT(self._get_next),
            GET_ERROR(lambda _: ct.addressof(self._error)),
        )
        self.stream = Stream(*self._calls, self._releases[2], None)

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return _new(ct.addressof(self.stream), b"arrow_array_stream", None)

    def _get_schema(self, _: Any, at: Any) -> int:
        ct.memmove(at, ct.byref(self._schema), ct.sizeof(Schema))
        at.contents.release = self._releases[0]
        self.made += 1
        return 0

    def _get_next(self, _: Any, at: Any) -> int:
        if not self._batches:
            at.contents.release = ARRAY_RELEASE()
            return 0
        batch = self._batches.pop(0)
        if isinstance(batch, int):
            return batch
        array = batch()
        ct.memmove(at, ct.byref(array), ct.sizeof(Array))
        at.contents.release = self._releases[1]
        self.made += 1
        return 0

    def _release(self, what: str, at: Any) -> None:
        self.released.append(what)
        at.contents.release = type(at.contents.release)()


KEPT: list[Any] = []  # what ctypes would drop although a structure refers to it
NO_RELEASE = ARRAY_RELEASE(lambda _: None)  # of what belongs to another array


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    count = len(KEPT)
    yield
    gc.collect()
    del KEPT[count:]


def kept(made: Any) -> Any:
    KEPT.append(made)
    return made


def pointers(type_: Any, items: Sequence[Any]) -> Any:
    made = (ct.POINTER(type_) * max(1, len(items)))(*[ct.pointer(kept(item)) for item in items])
    return ct.cast(kept(made), ct.POINTER(ct.POINTER(type_)))


def field(format_: bytes, *children: Schema, dictionary: Schema | None = None) -> Schema:
    made = Schema(kept(format_), b"a", None, 2, len(children), pointers(Schema, children))
    if dictionary is not None:
        made.dictionary = ct.pointer(kept(dictionary))
    return made


def array(
    length: int,
    *buffers: bytes | None,
    children: Sequence[Array] = (),
    dictionary: Array | None = None,
    **changed: Any,
) -> Array:
    held = [None if b is None else kept(ct.create_string_buffer(b, len(b))) for b in buffers]
    at = [None if b is None else ct.addressof(b) for b in held]
    made = Array(length, 0, 0, len(at), len(children))
    made.buffers = ct.cast(kept((ct.c_void_p * max(1, len(at)))(*at)), ct.POINTER(ct.c_void_p))
    made.children = pointers(Array, children)
    if dictionary is not None:
        made.dictionary = ct.pointer(kept(dictionary))
    made.release = NO_RELEASE
    for name, value in changed.items():
        setattr(made, name, value)
    return made


def rows(type_: Schema, *columns: Array) -> Any:
    """Return a stream of one column, with an array for each batch."""

    def batch(column: Array) -> Callable[[], Array]:
        return lambda: array(column.length, None, children=[column])

    return Producer(field(b"+s", type_), [batch(column) for column in columns])


def ints(*values: int, size: int = 4) -> bytes:
    return b"".join(value.to_bytes(size, "little", signed=True) for value in values)


def opened(producer: Any) -> Any:
    assert native is not None
    return native.ArrowStream(
        producer.__arrow_c_stream__(), lambda name: None, lambda cell: cell, lambda *parts: parts
    )


def in_csv(producer: Any) -> bytes:
    return b"".join(sw.encode(producer, "csv"))


TEXT, NUMBER, LIST = field(b"u"), field(b"i"), field(b"+l", field(b"i"))
VIEW = ints(13) + b"abcd" + ints(0, 0)
WRONG: dict[str, tuple[Schema, Array, str]] = {
    "a negative length": (NUMBER, array(-1, None, ints(1)), "length"),
    "a huge length": (NUMBER, array(2**62, None, ints(1)), "length"),
    "a negative offset": (NUMBER, array(1, None, ints(1), offset=-1), "offset"),
    "an offset that overflows": (NUMBER, array(1, None, ints(1), offset=2**63 - 1), "offset"),
    "too many nulls": (NUMBER, array(1, b"\x00", ints(1), null_count=2), "null_count"),
    "fewer nulls than none": (NUMBER, array(1, b"\x00", ints(1), null_count=-2), "null_count"),
    "nulls without a bitmap": (NUMBER, array(2, None, ints(1, 2), null_count=1), "nulls"),
    "too few buffers": (NUMBER, array(1, None), "1 buffers in place of 2"),
    "too many buffers": (NUMBER, array(1, None, ints(1), b""), "3 buffers in place of 2"),
    "negative buffers": (NUMBER, array(1, None, ints(1), n_buffers=-1), "-1 buffers"),
    "no data": (NUMBER, array(1, None, None), "buffer 1 is absent"),
    "no offsets": (TEXT, array(1, None, None, b"a"), "buffer 1 is absent"),
    "no text": (TEXT, array(1, None, ints(0, 1), None), "out of bounds"),
    "decreasing offsets": (TEXT, array(2, None, ints(0, 2, 1), b"abc"), "out of bounds"),
    "a negative first offset": (TEXT, array(1, None, ints(-1, 1), b"abc"), "out of bounds"),
    "an offset beyond the last": (TEXT, array(2, None, ints(0, 9, 3), b"abc"), "out of bounds"),
    "a large offset beyond": (
        field(b"U"),
        array(2, None, ints(0, 2**62, 3, size=8), b"abc"),
        "out of bounds",
    ),
    "views of a missing buffer": (
        field(b"vu"),
        array(1, None, VIEW[:8] + ints(1, 0), b"x" * 13, ints(13, size=8)),
        "out of bounds",
    ),
    "views past the end": (
        field(b"vu"),
        array(1, None, VIEW[:8] + ints(0, 1), b"x" * 13, ints(13, size=8)),
        "out of bounds",
    ),
    "views of a negative length": (
        field(b"vu"),
        array(1, None, ints(-1, 0, 0, 0), ints(0, size=8)),
        "out of bounds",
    ),
    "views without sizes": (
        field(b"vu"),
        array(1, None, VIEW, b"x" * 13, None),
        "out of bounds",
    ),
    "no child": (LIST, array(1, None, ints(0, 1)), "0 children in place of 1"),
    "a short child": (
        LIST,
        array(1, None, ints(0, 2), children=[array(1, None, ints(1))]),
        "out of bounds",
    ),
    "a short child of a struct": (
        field(b"+s", field(b"i")),
        array(2, None, children=[array(1, None, ints(1))]),
        "shorter",
    ),
    "a short child of a fixed list": (
        field(b"+w:2", field(b"i")),
        array(2, None, children=[array(3, None, ints(1, 2, 3))]),
        "shorter",
    ),
    "a wrong child": (
        LIST,
        array(1, None, ints(0, 1), children=[array(1, None)]),
        "a: it has 1 buffers",
    ),
    "no dictionary": (field(b"i", dictionary=field(b"u")), array(1, None, ints(0)), "dictionary"),
    "an index past the end": (
        field(b"i", dictionary=field(b"u")),
        array(1, None, ints(1), dictionary=array(1, None, ints(0, 1), b"a")),
        "out of bounds",
    ),
    "a negative index": (
        field(b"i", dictionary=field(b"u")),
        array(1, None, ints(-1), dictionary=array(1, None, ints(0, 1), b"a")),
        "out of bounds",
    ),
    "an index of 64 bits": (
        field(b"L", dictionary=field(b"u")),
        array(1, None, ints(-1, size=8), dictionary=array(1, None, ints(0, 1), b"a")),
        "out of bounds",
    ),
    "runs that end early": (
        field(b"+r", field(b"i"), field(b"u")),
        array(2, children=[array(1, None, ints(1)), array(1, None, ints(0, 1), b"a")]),
        "out of bounds",
    ),
    "more runs than values": (
        field(b"+r", field(b"i"), field(b"i")),
        array(2, children=[array(2, None, ints(1, 2)), array(1, None, ints(5))]),
        "out of bounds",
    ),
    "run ends that are all null": (
        field(b"+r", field(b"i"), field(b"i")),
        array(1, children=[array(1, b"\x00", None, null_count=1), array(1, None, ints(5))]),
        "a run end is null",
    ),
    "list views past the end": (
        field(b"+vl", field(b"i")),
        array(1, None, ints(1), ints(1), children=[array(1, None, ints(1))]),
        "out of bounds",
    ),
    "list views of a negative length": (
        field(b"+vl", field(b"i")),
        array(1, None, ints(0), ints(-1), children=[array(1, None, ints(1))]),
        "out of bounds",
    ),
    "a released child": (
        LIST,
        array(1, None, ints(0, 1), children=[array(1, None, ints(1), release=ARRAY_RELEASE())]),
        "released",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", WRONG)
def test_a_malformed_array_is_an_error_that_says_so(name: str) -> None:
    type_, column, expected = WRONG[name]
    count = 2 if column.length == 2 else 1
    producer = Producer(field(b"+s", type_), [lambda: array(count, None, children=[column])])
    with pytest.raises(sw.EncodeError, match=rf"the Arrow stream is malformed.*{expected}"):
        in_csv(producer)
    gc.collect()
    assert sorted(producer.released) == ["array", "schema", "stream"]


def test_a_malformed_cell_is_an_error_wherever_it_is() -> None:
    offsets = ints(*range(600), 5, *range(601, 1001))
    producer = rows(TEXT, array(1000, None, offsets, b"x" * 1000))
    with pytest.raises(sw.EncodeError, match=r"malformed.*out of bounds"):
        in_csv(producer)


def test_rows_that_are_null_are_refused() -> None:
    batch = array(1, b"\x00", children=[array(1, None, ints(1))], null_count=1)
    with pytest.raises(sw.EncodeError, match="malformed: rows must not be null"):
        in_csv(Producer(field(b"+s", NUMBER), [lambda: batch]))


def test_rows_may_have_an_offset() -> None:
    column = array(3, None, ints(1, 2, 3, 4), offset=1)
    batch = array(2, None, children=[column], offset=1)
    assert in_csv(Producer(field(b"+s", NUMBER), [lambda: batch])) == b"a\r\n3\r\n4\r\n"


def test_all_of_a_column_may_be_null_without_data() -> None:
    for type_ in (NUMBER, TEXT):
        buffers = [b"\x00", None, None][: 2 + (type_ is TEXT)]
        assert in_csv(rows(type_, array(2, *buffers, null_count=2))) == b'a\r\n""\r\n""\r\n'


@pytest.mark.parametrize(
    "format_", [b"", b"?", b"d:9", b"tsx:", b"ts", b"w:-1", b"+w:", b"vx", b"uu"]
)
def test_an_unknown_format_is_left_to_pyarrow(
    format_: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    producer = rows(field(format_), array(1, None, ints(1)))
    with pytest.raises(ImportError, match="a Producer is read by pyarrow"):
        in_csv(producer)
    assert producer.released == ["schema"]  # the stream is still that of its capsule


def test_an_error_of_the_producer_is_one_of_the_source() -> None:
    first = array(1, None, children=[array(1, None, ints(7))])
    producer = Producer(field(b"+s", NUMBER), [lambda: first, errno.EIO])
    given: Any = producer
    encoding = sw.encode(given, "csv")
    with pytest.raises(OSError, match=r"the Arrow stream failed: no more . disks") as failed:
        list(encoding)
    assert failed.value.errno == errno.EIO
    assert encoding.receipt.outcome == "source error"
    assert encoding.receipt.problem == f"OSError: {os.strerror(errno.EIO)}"
    del failed, encoding, given
    gc.collect()
    assert sorted(producer.released) == ["array", "schema", "stream"]


@pytest.mark.parametrize(("name", "type_"), [("get_schema", GET_SCHEMA), ("get_next", GET_NEXT)])
def test_a_stream_that_lacks_a_function_is_an_error(name: str, type_: Any) -> None:
    producer = rows(NUMBER)
    setattr(producer.stream, name, type_())
    with pytest.raises(sw.EncodeError, match="it has no functions to read it"):
        in_csv(producer)


def test_everything_is_released_at_the_end() -> None:
    producer = rows(NUMBER, array(1, None, ints(1)), array(2, None, ints(2, 3)))
    assert in_csv(producer) == b"a\r\n1\r\n2\r\n3\r\n"
    gc.collect()
    assert sorted(producer.released) == ["array", "array", "schema", "stream"]


def test_everything_is_released_if_it_is_closed_early() -> None:
    producer = rows(NUMBER, *[array(600, None, ints(*range(600)))] * 9)
    encoding = sw.encode(producer, "csv")
    next(encoding)
    encoding.close()
    gc.collect()
    assert sorted(set(producer.released)) == ["array", "schema", "stream"]
    assert len(producer.released) == producer.made + 1


def test_everything_is_released_if_it_is_dropped() -> None:
    producer = rows(NUMBER, *[array(600, None, ints(*range(600)))] * 9)
    encoding = sw.encode(producer, "csv")
    next(encoding)
    del encoding
    gc.collect()
    assert len(producer.released) == producer.made + 1


def test_a_stream_that_was_read_is_an_error() -> None:
    producer = rows(NUMBER, array(1, None, ints(1)))
    assert in_csv(producer) == b"a\r\n1\r\n"
    with pytest.raises(sw.EncodeError, match="was read before"):
        in_csv(producer)


def test_small_batches_are_written_together() -> None:
    producer = rows(NUMBER, *[array(1, None, ints(n)) for n in range(1000)])
    assert in_csv(producer).split() == [b"a", *[str(n).encode() for n in range(1000)]]


def plan_of(width: int) -> Any:
    assert native is not None
    rules = native.Rules(
        text=(bytes(128), (b"",), None, 100, False, False),
        values=(b"true", b"false", None, 0, 0, ".", False, False),
    )
    column = (None, 1023, ((b"", b""),) * (len(KINDS) + 2))
    return native.Plan(row=(b"", None, b"\n"), columns=[column] * width, rules=rules)


def test_what_is_spliced_in_may_be_emptied_meanwhile() -> None:
    class Emptying:
        def __iter__(self) -> Iterator[bytes]:
            spliced.clear()
            return iter([b"?"] * 3)

    spliced: list[Any] = [Emptying(), *[[b"!" * 20] * 3 for _ in range(30)]]
    _, (column,) = opened(rows(NUMBER, array(3, None, ints(1, 2, 3)))).next()
    written, _ = plan_of(31).write_arrow((column,) * 31, spliced, 1, 3, lambda *_: b"")
    assert written == (b"?" + b"!" * 600 + b"\n") * 3


@pytest.fixture
def never_switched() -> Iterator[None]:
    """Have no thread run while another has the interpreter's lock and does not give it away."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1000)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("never_switched")
def test_other_threads_run_while_a_batch_is_written() -> None:
    plan = plan_of(1)
    producer = rows(TEXT, array(1000, None, ints(*range(0, 2001, 2)), b"xy" * 1000))
    _, columns = opened(producer).next()
    gate, ran = threading.Lock(), list[int]()
    gate.acquire()

    def run() -> None:
        with gate:
            ran.append(1)

    thread = threading.Thread(target=run)
    thread.start()
    gate.release()
    assert not ran
    for _ in range(10_000):
        plan.write_arrow(columns, None, 1, 1000, lambda *_: b"")
        if ran:
            break
    else:
        pytest.fail("no other thread has run")
    thread.join()
