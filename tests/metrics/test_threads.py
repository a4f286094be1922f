"""Warnings that several threads ignore at once."""

import threading
import warnings

import pytest

from stabaudit.metrics.threads import ignoring


def test_warnings_are_ignored_until_the_last_thread_has_left():
    first_left, second_in, seen = threading.Event(), threading.Event(), []

    def first():
        with ignoring(DeprecationWarning):
            second_in.wait(10)
        first_left.set()

    def second():
        with ignoring(DeprecationWarning):
            second_in.set()
            first_left.wait(10)
            try:
                warnings.warn("of the second thread", DeprecationWarning, stacklevel=1)
            except DeprecationWarning as warning:
                seen.append(warning)

    before = list(warnings.filters)
    threads = [threading.Thread(target=work) for work in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not seen
    assert list(warnings.filters) == before
    with pytest.raises(DeprecationWarning):
        warnings.warn("afterwards", DeprecationWarning, stacklevel=1)


def test_filters_come_back_after_an_error():
    before = list(warnings.filters)
    with pytest.raises(RuntimeError), ignoring(DeprecationWarning):
        raise RuntimeError
    assert list(warnings.filters) == before
