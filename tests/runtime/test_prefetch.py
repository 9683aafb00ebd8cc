from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from dehaze.runtime.prefetch import Prefetch


def test_items_come_in_order_and_complete() -> None:
    with Prefetch(iter(range(100)), depth=3) as items:
        assert list(items) == list(range(100))


def test_an_error_of_the_source_is_raised_after_the_items_before_it() -> None:
    def source() -> Iterator[int]:
        yield 1
        raise ValueError("from the thread")

    taken = []
    with pytest.raises(ValueError, match="from the thread"), Prefetch(source()) as items:
        taken.extend(items)
    assert taken == [1]


def test_it_works_ahead_but_not_without_bound() -> None:
    produced = []
    enough = threading.Event()

    def source() -> Iterator[int]:
        for index in range(100):
            produced.append(index)
            if index == 3:
                enough.set()
            yield index

    with Prefetch(source(), depth=3):
        assert enough.wait(5), "nothing was produced ahead"
    assert len(produced) <= 5  # three in the queue, one waiting for a place, one begun


def test_leaving_early_ends_the_thread() -> None:
    def endless() -> Iterator[int]:
        while True:
            yield 0

    before = threading.active_count()
    with Prefetch(endless()) as outer, Prefetch(item for item in outer) as inner:
        assert next(iter(inner)) == 0
    assert threading.active_count() == before
