"""The addresses of this machine, read from what Linux writes down, or guessed where it does not."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from warren.runtime.real.interfaces import interface_addresses

if TYPE_CHECKING:
    from pathlib import Path

FIB_TRIE = """\
Local:
  +-- 0.0.0.0/0 3 0 5
     |-- 127.0.0.1
        /32 host LOCAL
     |-- 192.168.1.7
        /32 host LOCAL
     |-- 192.168.1.255
        /32 link BROADCAST
"""
IF_INET6 = """\
00000000000000000000000000000001 01 80 10 80       lo
fe80000000000000000000000000abcd 02 40 20 80     eth0
20010db8000000000000000000000007 02 40 00 80     eth0
"""


def test_local_addresses_are_listed_without_link_local_and_broadcast(tmp_path: Path) -> None:
    (tmp_path / "fib_trie").write_text(FIB_TRIE)
    (tmp_path / "if_inet6").write_text(IF_INET6)
    assert interface_addresses(tmp_path) == ["127.0.0.1", "192.168.1.7", "::1", "2001:db8::7"]


def test_where_nothing_is_listed_the_loopback_is_known(tmp_path: Path) -> None:
    found = interface_addresses(tmp_path)
    assert found[0] == "127.0.0.1"
    assert all(ipaddress.ip_address(address) for address in found)


def test_this_machine_has_addresses() -> None:
    assert "127.0.0.1" in interface_addresses()
