from __future__ import annotations

from dataclasses import FrozenInstanceError, replace
from pathlib import Path
from typing import Any

import pytest

from warren.config import NAME_CHARS_MAX, ApiConfig, Config, StatusConfig, default_name, split_listen
from warren.core.errors import ConfigError
from warren.core.multiaddr import Multiaddr
from warren.network.config import NetworkConfig


def test_defaults_listen_on_one_port_for_both_families() -> None:
    assert Config().listen == ("/ip4/0.0.0.0/tcp/4101", "/ip6/::/tcp/4101")
    assert Config().download_dir == Path.home() / "Warren"
    assert Config().home is None


def test_it_is_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        Config().name = "x"  # type: ignore[misc]


def test_the_default_name_is_a_name() -> None:
    assert 0 < len(default_name()) <= NAME_CHARS_MAX
    assert Config().name == default_name()


@pytest.mark.parametrize("gone", ["user", "host"])
def test_the_default_name_does_without_what_is_unknown(monkeypatch: pytest.MonkeyPatch, gone: Any) -> None:
    def nobody() -> None:
        raise OSError

    if gone == "user":
        monkeypatch.setattr("getpass.getuser", nobody)
    else:
        monkeypatch.setattr("socket.gethostname", lambda: "")
    assert default_name()
    assert "@" not in default_name()


@pytest.mark.parametrize("name", ["", "  ", "x" * (NAME_CHARS_MAX + 1), "a\nb", "\u202eanna"])
def test_names_that_cannot_be_shown(name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Config(name=name)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("address", "cure"),
    [
        ("127.0.0.1:4101", "/ip4/127.0.0.1/tcp/4101"),
        ("[::1]:4101", "/ip6/::1/tcp/4101"),
        ("localhost", "/ip4/0.0.0.0/tcp/4101"),
        ("/ip4/1.2.3.4", "/ip4/0.0.0.0/tcp/4101"),
        ("/ip4/1.2.3.4/udp/1/quic-v1", "/ip4/0.0.0.0/tcp/4101"),
        ("/ip4/1.2.3.4/tcp/1/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN", "/ip4/0.0.0.0"),
    ],
)
def test_what_cannot_be_listened_on_is_refused_with_a_cure(address: Any, cure: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        Config(listen=(address,))
    assert cure in caught.value.hint


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_the_api_listens_on_loopback(host: Any) -> None:
    assert ApiConfig(host=host).host == host


@pytest.mark.parametrize(
    "wrong",
    [
        {"host": "0.0.0.0"},
        {"host": "::"},
        {"host": "192.168.1.2"},
        {"host": "example.com"},
        {"host": ""},
        {"port": -1},
        {"port": 65536},
        {"body_bytes_max": 0},
        {"requests_max": 0},
    ],
)
def test_the_api_refuses_other_places_and_numbers(wrong: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        ApiConfig(**wrong)
    assert caught.value.hint
    assert next(iter(wrong)) in str(caught.value)


def test_a_changed_copy_is_checked_too() -> None:
    with pytest.raises(ConfigError):
        replace(Config(), listen=("nonsense",))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"listen": "/ip4/127.0.0.1/tcp/0"}, "listen is a list of addresses in text"),
        ({"listen": (Multiaddr.parse("/ip4/127.0.0.1/tcp/0"),)}, "listen is a list of addresses in text"),
        ({"listen": 5}, "listen is a list of addresses in text"),
        ({"home": "data"}, "home must be of type Path"),
        ({"download_dir": None}, "download_dir must be of type Path"),
        ({"name": None}, "name must be text"),
        ({"network": {"inbound_max": 1}}, "network must be of type NetworkConfig"),
        ({"files": None}, "files must be of type FilesConfig"),
        ({"api": 4180}, "api must be of type ApiConfig"),
    ],
)
def test_values_of_another_type_are_refused_with_a_cure(wrong: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        Config(**wrong)
    assert caught.value.hint


@pytest.mark.parametrize("wrong", [True, "5", 1.5, None])
def test_numbers_are_numbers(wrong: Any) -> None:
    with pytest.raises(ConfigError, match=r"network\.inbound_max must be a whole number"):
        NetworkConfig(inbound_max=wrong)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("9101", ("127.0.0.1", 9101)),
        (":9101", ("127.0.0.1", 9101)),
        ("localhost:0", ("127.0.0.1", 0)),
        ("192.0.2.1:9101", ("192.0.2.1", 9101)),
        ("[::1]:9101", ("::1", 9101)),
    ],
)
def test_where_the_status_listener_is(text: str, place: tuple[str, int]) -> None:
    assert StatusConfig(listen=text).listen == text
    assert split_listen(text) == place


@pytest.mark.parametrize("text", ["x", "::1:9101", "example.org:9101", "1.2.3:5", "127.0.0.1:65536", "[::1]"])
def test_where_the_status_listener_cannot_be(text: str) -> None:
    with pytest.raises(ConfigError, match=r"status\.listen must be HOST:PORT") as caught:
        StatusConfig(listen=text)
    assert "127.0.0.1:9101" in caught.value.hint
