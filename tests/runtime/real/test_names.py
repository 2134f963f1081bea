"""What only real name servers do: be silent, and answer with errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.runtime.name_server import NameServer
from warren.runtime.real import names

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def server() -> Iterator[NameServer]:
    made = NameServer()
    yield made
    made.close()


def test_a_server_that_is_silent_ends_in_a_timeout(
    server: NameServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.silent = True
    monkeypatch.setattr(names, "LOOK_UP_S", 0.2)

    with pytest.raises(TimeoutError, match=r"no name server answers for example\.org"):
        names.look_up_txt("example.org", [server.address])


def test_no_more_is_taken_than_the_bound(server: NameServer) -> None:
    server.texts["example.org"] = [b"%d" % number for number in range(names.RECORDS_MAX + 50)]

    assert len(names.look_up_txt("example.org", [server.address])) == names.RECORDS_MAX


def test_names_are_asked_for_as_they_are_and_not_below_the_own_domain(server: NameServer) -> None:
    server.texts["printer"] = [b"x"]

    assert names.look_up_txt("printer", [server.address]) == [b"x"]
    assert server.asked == ["printer"]
