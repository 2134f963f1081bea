"""Conformance of `seam.Transport.resolve_txt`, on a name server of the test's own and on simulated names."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.runtime.settings import Setting

LONG = b"dnsaddr=" + bytes(range(256)) * 2


@pytest.mark.parametrize("texts", [[b"one"], [b"one", b"two", b"one=two"], [LONG]])
def test_each_txt_record_comes_whole(setting: Setting, texts: list[bytes]) -> None:
    setting.texts["_dnsaddr.example.org"] = texts

    found = setting.run(setting.client.transport.resolve_txt("_dnsaddr.example.org"))

    assert sorted(found) == sorted(texts)


@pytest.mark.parametrize("texts", [None, []])
def test_a_name_without_txt_records_is_an_error_of_look_ups(
    setting: Setting, texts: list[bytes] | None
) -> None:
    if texts is not None:
        setting.texts["example.org"] = texts

    with pytest.raises(socket.gaierror):
        setting.run(setting.client.transport.resolve_txt("example.org"))


@pytest.mark.parametrize("name", ["", "..", "x" * 64 + ".org", ".".join(["abcdefgh"] * 40)])
def test_what_is_no_name_is_an_os_error(setting: Setting, name: str) -> None:
    with pytest.raises(OSError):
        setting.run(setting.client.transport.resolve_txt(name))
