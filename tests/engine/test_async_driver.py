"""What drives a document beside an event loop."""

import asyncio
import gc

from drive import async_driver as driver
from fakes import Rows, orders
from streamware.engine.lifecycle import State


async def test_its_chunks_are_the_document() -> None:
    made = driver(orders(3))
    assert b"".join([chunk async for chunk in made]) == b"0,order 0\r\n1,order 1\r\n2,order 2\r\n"
    assert made.lifecycle.state is State.COMPLETE


async def test_a_document_whose_last_chunks_are_not_taken_is_not_complete() -> None:
    rows = Rows([])
    made = driver(rows, "json")
    filling = await made._start_filling()
    assert filling is not None
    await filling
    assert made.lifecycle.state is State.COMPLETE
    await made.aclose()
    assert (made.receipt.outcome, made.receipt.sha256, rows.closed) == ("closed", None, 1)


async def test_a_driver_that_was_forgotten_ends_on_its_thread() -> None:
    rows = Rows(orders(10**6))
    made = driver(rows)
    assert await anext(made)
    closing = made._worker
    del made
    async with asyncio.timeout(10):
        while not closing.stopped:  # the thread may still have a reference for a moment
            gc.collect()
            await asyncio.sleep(0.01)
