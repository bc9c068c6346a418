from http import HTTPStatus

import streamware as sw
from fakes import orders
from streamware.engine.driver import Driver
from streamware.engine.options import resolve
from streamware.http.delivery import Answer, Job
from streamware.rows.source import Bridge
from streamware.scratch.disk_quota import ExportQuota


def made(bridge: Bridge | None = None, quota: ExportQuota | None = None) -> Driver:
    return Driver(orders(3), sw.Csv(), resolve({}))


def test_a_job_makes_chunks_for_a_thread() -> None:
    assert b"".join(Job(make=made).chunks()) == b"0,order 0\r\n1,order 1\r\n2,order 2\r\n"


async def test_a_job_makes_chunks_for_an_event_loop() -> None:
    chunks = Job(make=made).achunks()
    assert b"".join([chunk async for chunk in chunks]).startswith(b"0,order 0\r\n")


def test_only_an_event_loop_gives_a_feeder() -> None:
    bridges = list[Bridge | None]()

    def make(bridge: Bridge | None, quota: ExportQuota | None) -> Driver:
        bridges.append(bridge)
        return made()

    job = Job(make=make)
    job.chunks()
    job.achunks()
    assert bridges[0] is None
    assert bridges[1] is not None


def test_on_done_is_called_with_the_receipt() -> None:
    told = list[sw.Receipt]()
    receipt = sw.Receipt("csv")
    Job(make=made, on_done=told.append).watch(receipt, sw.Settings()).done()
    assert told == [receipt]


def test_an_answer_has_a_body_or_a_job() -> None:
    answer = Answer(HTTPStatus.OK, [], b"")
    assert answer.discarded is None
