"""Where settings come from, which one wins, and what is said of those that are wrong."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warren.config import Config
from warren.core.errors import ConfigError
from warren.frontends.settings import (
    Loaded,
    examine,
    keep_name,
    load,
    settings,
    to_toml,
    unknown_variables,
)
from warren.network.config import FOR_MANY


@pytest.fixture
def home(tmp_path: Path) -> Any:
    return tmp_path


def write(home: Any, text: str) -> None:
    (home / "config.toml").write_text(text, encoding="utf-8")


def problems(home: Any, **options: Any) -> Any:
    found = examine(home, env=options.pop("env", {}), **options)
    assert not isinstance(found, Loaded)
    return [(one.where.replace(f"{home}/", ""), one.message, one.hint) for one in found]


def test_without_anything_all_is_default(home: Any) -> None:
    loaded = load(home, env={})
    assert loaded.config == Config(home=home)
    assert {str(origin) for origin in loaded.origins.values()} == {"default"}
    assert loaded.values["api.port"] == 0


def test_file_beats_default_env_beats_file_flag_beats_env(home: Any) -> None:
    write(home, '# mine\nname = "file"\n\n[api]\nport = 1\n')
    loaded = load(home, env={})
    assert (loaded.config.name, loaded.config.api.port) == ("file", 1)
    assert str(loaded.origins["name"]) == f"file {home}/config.toml:2"
    assert str(loaded.origins["api.port"]) == f"file {home}/config.toml:5"
    loaded = load(home, env={"WARREN_NAME": "env", "WARREN_API_PORT": "2"})
    assert (loaded.config.name, loaded.config.api.port) == ("env", 2)
    assert str(loaded.origins["api.port"]) == "env WARREN_API_PORT"
    loaded = load(home, env={"WARREN_NAME": "env"}, flags={"name": "flag", "listen": None})
    assert loaded.config.name == "flag"
    assert str(loaded.origins["name"]) == "flag --name"
    assert str(loaded.origins["listen"]) == "default"


def test_parts_within_parts_can_be_set(home: Any) -> None:
    write(
        home, "[network]\ninbound_max = 7\n[network.yamux]\nstreams_inbound_max = 8\n[files]\nstall_s = 9\n"
    )
    config = load(home, env={"WARREN_NETWORK_WINDOWS_STREAM_BYTES_MAX": "1048576"}).config
    assert config.network.inbound_max == 7
    assert config.network.yamux.streams_inbound_max == 8
    assert config.network.windows.stream_bytes_max == 1 << 20
    assert config.files.stall_s == 9.0


def test_dotted_keys_and_inline_tables_find_their_lines(home: Any) -> None:
    write(home, 'api.port = 5\nnetwork = { inbound_max = "x" }\n')
    ((where, message, _),) = problems(home)
    assert where == "config.toml:2"
    assert "network.inbound_max" in message


def test_a_list_in_the_environment_is_separated_by_commas(home: Any) -> None:
    loaded = load(home, env={"WARREN_LISTEN": "/ip4/127.0.0.1/tcp/1, /ip6/::1/tcp/1"})
    assert loaded.config.listen == ("/ip4/127.0.0.1/tcp/1", "/ip6/::1/tcp/1")


def test_a_relative_path_counts_from_who_names_it(home: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    write(home, 'download_dir = "got"')
    assert load(home, env={}).config.download_dir == home / "got"
    assert load(home, env={"WARREN_DOWNLOAD_DIR": "got"}).config.download_dir == Path("/got")
    assert load(home, env={"WARREN_DOWNLOAD_DIR": "~/got"}).config.download_dir == Path.home() / "got"


@pytest.mark.parametrize(
    ("text", "where", "message", "hint"),
    [
        ('nam = "x"', ":1", 'unknown key "nam"', 'did you mean "name"?'),
        ("\n[netwrok]\nx = 1", ":2", 'unknown key "netwrok"', "did you mean [network]?"),
        ("[network]\nport = 1", ":2", 'unknown key "port" in [network]', 'did you mean "port" in [api]?'),
        (
            "[api]\nname = 'x'",
            ":2",
            'unknown key "name" in [api]',
            'did you mean "name" above the first [table]?',
        ),
        ("zzz = 1", ":1", 'unknown key "zzz"', "remove it; warren config show lists all keys"),
        ('home = "/x"', ":1", "home cannot stand in the file", "--home or WARREN_HOME"),
        ("name = 5", ":1", "name must be text in quotes, not 5", 'write for instance name = "5"'),
        (
            '[api]\nport = "1"',
            ":2",
            'api.port must be a whole number, not "1"',
            "write for instance port = 0",
        ),
        ("[api]\nport = true", ":2", "api.port must be a whole number, not true", "port = 0"),
        ("[files]\nstall_s = 'x'", ":2", 'files.stall_s must be a number, not "x"', "stall_s = 60.0"),
        (
            "[api]\nport = 70000",
            ":2",
            "api.port must be 65535 at most, not 70000",
            "remove it to get the default",
        ),
        ('listen = "/ip4/1.2.3.4/tcp/1"', ":1", "listen must be a list", 'listen = ["/ip4/1.2.3.4/tcp/1"]'),
        ('listen = [\n"/ip4/1.2.3.4/tcp/1",\n"1.2.3.4:5"]', ":3", "1.2.3.4:5", "write /ip4/1.2.3.4/tcp/5"),
        ("download_dir = 1", ":1", "download_dir must be a path in quotes, not 1", 'download_dir = "1"'),
        ("api = 1", ":1", 'unknown key "api"', ""),
        ("name = Anna", ":1", "not valid TOML", 'text goes in quotes: name = "Anna"'),
        ("name = 'a'\nname = 'b'", ":2", "not valid TOML", ""),
        ("listen = [", ":1", "not valid TOML", "lists in brackets"),
    ],
)
def test_what_is_wrong_is_told_with_its_line_and_cure(
    home: Any, text: str, where: Any, message: Any, hint: Any
) -> None:
    write(home, text)
    found = problems(home)
    assert len(found) == 1
    assert found[0][0] == f"config.toml{where}"
    assert message in found[0][1]
    assert hint in found[0][2]
    assert found[0][2]


def test_every_wrong_value_is_told_not_only_the_first(home: Any) -> None:
    write(home, 'name = ""\nlisten = ["x"]\n[api]\nport = -1\nhost = "0.0.0.0"\nbogus = 1\n')
    places = sorted(where for where, _, _ in problems(home, env={"WARREN_FILES_STALL_S": "never"}))
    assert places == ["WARREN_FILES_STALL_S", *(f"config.toml:{line}" for line in (1, 2, 4, 5, 6))]


def test_values_that_do_not_go_together_are_told_together(home: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    write(home, "[api]\nport = 1\nrequests_max = 2\n")
    kind = type(Config().api)
    check = kind.__post_init__

    def both(self: Any) -> None:
        check(self)
        if self.port == 1 and self.requests_max == 2:
            raise ConfigError("these two fight")

    monkeypatch.setattr(kind, "__post_init__", both)
    ((where, message, _),) = problems(home)
    assert message == "these two fight"
    assert "config.toml:2" in where
    assert "config.toml:3" in where


@pytest.mark.parametrize(
    ("data", "message"),
    [(b"name = '\xff'", "not UTF-8"), (b"#" * (1 << 20) + b"#", "larger than 1 MiB")],
)
def test_files_that_are_no_configuration(home: Any, data: Any, message: Any) -> None:
    (home / "config.toml").write_bytes(data)
    assert message in problems(home)[0][1]


def test_a_file_that_cannot_be_read(home: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "config.toml").mkdir()
    assert problems(home)[0][1:] == ("is a folder", "move it away; the settings are a file of this name")

    def fails(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", fails)
    assert "cannot be read: Permission denied" in problems(home)[0][1]


def test_load_raises_the_first_problem_and_counts_the_others(home: Any) -> None:
    write(home, "nam = 1\nlisten = 2\n")
    with pytest.raises(
        ConfigError, match=r'config.toml:1: unknown key "nam" \(1 more: warren config check\)'
    ) as caught:
        load(home, env={})
    assert caught.value.hint == 'did you mean "name"?'


def test_a_wrong_flag_is_named(home: Any) -> None:
    ((where, _, hint),) = problems(home, flags={"listen": ("1.2.3.4:1",)})
    assert (where, hint) == ("--listen", "write /ip4/1.2.3.4/tcp/1")


def test_words_for_yes_and_no() -> None:
    from warren.frontends.settings import _from_word

    assert [_from_word(word, bool) for word in ("yes", "0", "maybe")] == [True, False, "maybe"]


def test_unknown_variables_are_named_and_harmless() -> None:
    env = {"WARREN_NAM": "x", "WARREN_PORT_4101_TCP_ADDR": "10.0.0.1", "WARREN_HOME": "/x", "PATH": "/bin"}
    assert unknown_variables(env) == [("WARREN_NAM", "WARREN_NAME"), ("WARREN_PORT_4101_TCP_ADDR", "")]


def test_the_name_is_kept_once_and_the_rest_of_the_file_stays(home: Any) -> None:
    keep_name(home, 'An "na"')
    assert (home / "config.toml").stat().st_mode & 0o777 == 0o600
    assert load(home, env={}).config.name == 'An "na"'
    keep_name(home, "other")
    assert load(home, env={}).config.name == 'An "na"'
    write(home, "# mine\n[api]\nport = 3\n")
    keep_name(home, "ben")
    loaded = load(home, env={})
    assert (loaded.config.name, loaded.config.api.port) == ("ben", 3)
    assert "# mine" in (home / "config.toml").read_text()


def test_every_setting_has_a_name_for_the_environment() -> None:
    names = [one.env for one in settings().values()]
    assert len(set(names)) == len(names)
    assert "WARREN_API_PORT" in names
    assert "WARREN_HOME" not in names


@given(
    st.one_of(
        st.booleans(),
        st.integers(-(2**63), 2**63 - 1),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(st.characters(codec="utf-8")),
        st.lists(st.text(st.characters(codec="utf-8"))),
    )
)
def test_what_is_shown_as_toml_is_toml(value: Any) -> None:
    assert tomllib.loads(f"x = {to_toml(value)}")["x"] == value


@given(st.text(max_size=200))
def test_any_text_gives_settings_or_problems(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    home = tmp_path_factory.mktemp("any")
    (home / "config.toml").write_text(text, encoding="utf-8", errors="surrogatepass")
    found = examine(home, env={})
    assert isinstance(found, Loaded) or all(one.message and one.hint for one in found)


@pytest.mark.parametrize("value", [-1, 0, float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("name", [one.name for one in settings().values() if one.kind in (int, float)])
def test_every_number_is_bounded_or_says_what_zero_means(home: Any, name: str, value: float) -> None:
    section, _, key = name.rpartition(".")
    write(home, f"[{section}]\n{key} = {value}\n")
    found = examine(home, env={})
    if isinstance(found, Loaded):
        assert value == 0
        assert says_what_zero_means(name)
        return
    ((where, message, hint),) = problems(home)
    assert where == "config.toml:2"
    assert message.startswith(name)
    assert hint


def says_what_zero_means(name: str) -> bool:
    pages = (Path(__file__).parents[2] / "docs" / page for page in ("limits.md", "config.md"))
    rows = [
        line for page in pages for line in page.read_text().splitlines() if line.startswith(f"| `{name}`")
    ]
    return any("0: " in row or "0 lets" in row for row in rows)


def test_a_super_peer_takes_more_connections_unless_somebody_says_otherwise(home: Any) -> None:
    loaded = load(home, env={}, flags={"directory.role": "super"})
    assert loaded.config.network == FOR_MANY
    assert loaded.config.network.inbound_max >= 10_000
    assert str(loaded.origins["network.inbound_max"]) == "default of directory.role = super"
    assert str(loaded.origins["network.outbound_max"]) == "default"
    write(home, '[network]\ninbound_max = 100\n[directory]\nrole = "super"\n')
    loaded = load(home, env={"WARREN_NETWORK_PER_IP_MAX": "9"})
    assert (loaded.config.network.inbound_max, loaded.config.network.per_ip_max) == (100, 9)
    assert loaded.config.network.handshakes_max == FOR_MANY.handshakes_max
    assert load(home, env={"WARREN_DIRECTORY_ROLE": "weak"}).config.network.handshakes_max == 256
