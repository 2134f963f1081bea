"""From flags, environment and file to one `Config`, and back to where each value came from.

In:  flags (already parsed), `WARREN_*` variables, `config.toml` in the data folder.
Out: `Loaded`: the `Config`, and the origin of every setting; or every problem, each with its place and cure.
Precedence: flag > environment > file > default.

Each part of the program owns a frozen dataclass with its defaults and limits. A setting is called by its
dotted name, the same everywhere:

    dotted name       in config.toml            environment variable
    listen            listen = [...]            WARREN_LISTEN   (comma separated)
    api.port          [api]  port = 4180        WARREN_API_PORT

With `directory.role = "super"` some defaults are others (`warren.config.ROLE_DEFAULTS`).

Refuses: broken TOML, unknown keys, wrong types, and what the dataclasses refuse. Unknown variables are no
error.
"""

from __future__ import annotations

import dataclasses
import json
import os
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from warren.config import ROLE_DEFAULTS, Config, check_listen
from warren.core.errors import ConfigError
from warren.frontends.config_file import FILE_NAME, ConfigFile, Problem, read
from warren.frontends.home import ENV_PREFIX, HOME_VARIABLE, PROGRAM_VARIABLE, write_private
from warren.services.discovery.config import check_bootstrap, split_name
from warren.services.overlay.config import check_neighbour

# What each item of a list must be, so that a mistake is told with its own line.
_CHECKS: Mapping[str, Callable[[str], object]] = {
    "listen": check_listen,
    "discovery.bootstrap": check_bootstrap,
    "discovery.dns": split_name,
    "overlay.neighbours": check_neighbour,
}
# Settings whose flag is not just the last part of their name.
_FLAGS = {"status.listen": "status-listen", "overlay.neighbours": "neighbour"}
_WORDS = {
    **dict.fromkeys(("true", "yes", "on", "1"), True),
    **dict.fromkeys(("false", "no", "off", "0"), False),
}


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value came from. kind: 'flag', 'env', 'file' or 'default'."""

    kind: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.detail}".rstrip()


@dataclass(frozen=True, slots=True)
class Setting:
    """One value somebody may set: its dotted name, its type (without None), its default."""

    name: str
    kind: Any
    default: object

    @property
    def key(self) -> str:
        return self.name.rpartition(".")[2]

    @property
    def env(self) -> str:
        return ENV_PREFIX + self.name.replace(".", "_").upper()


@dataclass(frozen=True, slots=True)
class Loaded:
    """The outcome of `load`. `values` and `origins` are keyed by the dotted names of all settings."""

    config: Config
    values: dict[str, object]
    origins: dict[str, Origin]


@dataclass(frozen=True, slots=True)
class _Given:
    """A value as somebody gave it. `where` is for messages: for a list, the line of its first bad item."""

    setting: Setting
    raw: object
    origin: Origin
    where: str


def settings() -> dict[str, Setting]:
    """Every setting there is, by dotted name, in the order of the dataclasses."""
    return {setting.name: setting for setting in _walk(Config, "")}


def load(
    home: Path | None, *, flags: Mapping[str, object] | None = None, env: Mapping[str, str] | None = None
) -> Loaded:
    """Gather the configuration for the data folder `home`.

    flags: dotted name -> value given on the command line (None: not given).
    env: the environment; the process's own by default.
    Raises ConfigError that names the first problem with its place and cure, and counts the others.
    """
    found = examine(home, flags=flags, env=env)
    if isinstance(found, Loaded):
        return found
    first, more = found[0], len(found) - 1
    rest = f" ({more} more: warren config check)" if more else ""
    raise ConfigError(f"{first}{rest}", hint=first.hint)


def examine(
    home: Path | None, *, flags: Mapping[str, object] | None = None, env: Mapping[str, str] | None = None
) -> Loaded | list[Problem]:
    """Like `load`, but returns all problems instead of raising the first."""
    problems: list[Problem] = []
    known = settings()
    given: dict[str, _Given] = {}
    if home is not None:
        file = read(home / FILE_NAME)
        problems += [file.problem] if file.problem else []
        given |= _from_file(file, known, problems)
    given |= _from_env(os.environ if env is None else env, known)
    given |= _from_flags(flags or {}, known)
    values: dict[str, object] = {}
    for name, one in given.items():
        try:
            values[name] = _placed(_convert(one.raw, one.setting.kind), one, home)
        except TypeError as error:
            problems.append(_mistyped(one, str(error)))
    for one in _of_role(values.get("directory.role"), known):
        if one.setting.name not in given:
            given[one.setting.name], values[one.setting.name] = one, one.raw
    config = _build(Config, "", values, given, problems)
    if problems:
        return problems
    origins = {name: given[name].origin if name in given else Origin("default") for name in known}
    config = dataclasses.replace(config, home=home)
    return Loaded(config, {name: _value_at(config, name) for name in known}, origins)


def unknown_variables(env: Mapping[str, str]) -> list[tuple[str, str]]:
    """`WARREN_*` variables that set nothing, each with the closest one that would ("" if none is close).

    Never an error: Kubernetes gives every pod `WARREN_SERVICE_HOST` and its like for a Service called warren.
    """
    known = [*(setting.env for setting in settings().values()), HOME_VARIABLE, PROGRAM_VARIABLE]
    strangers = sorted(name for name in env if name.startswith(ENV_PREFIX) and name not in known)
    return [(name, _closest(name, known)) for name in strangers]


def keep_name(home: Path, name: str) -> None:
    """Write the name into `config.toml`, unless one stands there. It goes first, above all tables."""
    path = home / FILE_NAME
    if "name" in read(path).tables:
        return
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    write_private(path, f"name = {to_toml(name)}\n{before}")


def to_toml(value: object) -> str:
    """One value as it would stand in the file."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(to_toml(item) for item in value) + "]"
    if isinstance(value, int | float):
        return str(value)
    if value is None:
        return '""'
    # TOML's basic strings are JSON's, but for the one control character that JSON leaves as it is.
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")


def _of_role(role: object, known: Mapping[str, Setting]) -> Iterator[_Given]:
    """What is set by default in this role, and in no other."""
    why = f"of directory.role = {role}"
    for name, value in ROLE_DEFAULTS.get(str(role), {}).items():
        yield _Given(known[name], value, Origin("default", why), why)


# --- what can be set ------------------------------------------------------------------------------


def _walk(owner: type, prefix: str) -> Iterator[Setting]:
    for one, kind in _fields(owner):
        if dataclasses.is_dataclass(kind) and isinstance(kind, type):
            yield from _walk(kind, f"{prefix}{one.name}.")
        else:
            yield Setting(prefix + one.name, kind, _default_of(one))


def _fields(owner: type) -> Iterator[tuple[dataclasses.Field[Any], Any]]:
    """The fields that can be set, each with its type; not `home`, which decides where the file is."""
    hints = typing.get_type_hints(owner)
    for one in dataclasses.fields(owner):
        if one.name != "home":
            yield one, _without_none(hints[one.name])


def _without_none(kind: Any) -> Any:
    if isinstance(kind, types.UnionType) or typing.get_origin(kind) is typing.Union:
        return next(one for one in typing.get_args(kind) if one is not types.NoneType)
    return kind


def _default_of(one: dataclasses.Field[Any]) -> object:
    return one.default if one.default_factory is dataclasses.MISSING else one.default_factory()


def _value_at(config: Config, name: str) -> object:
    value: object = config
    for part in name.split("."):
        value = getattr(value, part)
    return value


# --- where values come from -----------------------------------------------------------------------


def _from_file(
    file: ConfigFile, known: Mapping[str, Setting], problems: list[Problem]
) -> Iterator[tuple[str, _Given]]:
    for name, raw in _flatten(file.tables, "", known):
        where = file.where(name)
        if name in known:
            yield name, _Given(known[name], raw, Origin("file", where), _place_of_fault(file, name, raw))
        else:
            problems.append(_unknown(where, name, known))


def _flatten(
    table: Mapping[str, Any], prefix: str, known: Mapping[str, Setting]
) -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        name = prefix + key
        if isinstance(value, dict) and any(one.startswith(name + ".") for one in known):
            yield from _flatten(value, name + ".", known)
        else:
            yield name, value


def _place_of_fault(file: ConfigFile, name: str, raw: object) -> str:
    check = _CHECKS.get(name, str)
    for item in raw if isinstance(raw, list) else []:
        try:
            check(item)
        except (ConfigError, TypeError, AttributeError):
            return file.where(name, str(item))
    return file.where(name)


def _from_env(env: Mapping[str, str], known: Mapping[str, Setting]) -> Iterator[tuple[str, _Given]]:
    for name, setting in known.items():
        if setting.env in env:
            raw = _from_word(env[setting.env], setting.kind)
            yield name, _Given(setting, raw, Origin("env", setting.env), setting.env)


def _from_word(word: str, kind: Any) -> object:
    """The value that a word from the environment stands for; the word itself if it stands for none."""
    if typing.get_origin(kind) is tuple:
        return [part.strip() for part in word.split(",") if part.strip()]
    if kind is bool:
        return _WORDS.get(word.strip().lower(), word)
    if kind in (int, float):
        try:
            return kind(word)
        except ValueError:
            return word
    return word


def _from_flags(flags: Mapping[str, object], known: Mapping[str, Setting]) -> Iterator[tuple[str, _Given]]:
    for name, raw in flags.items():
        if raw is not None:
            flag = ("--no-" if raw is False else "--") + _FLAGS.get(name, name.rpartition(".")[2])
            yield name, _Given(known[name], raw, Origin("flag", flag), flag)


# --- from raw to typed, and into the dataclasses --------------------------------------------------


def _convert(raw: object, kind: Any) -> object:
    """Raises TypeError whose text completes "must be"."""
    if typing.get_origin(kind) is tuple:
        if not isinstance(raw, list | tuple) or not all(isinstance(item, str) for item in raw):
            raise TypeError("a list of texts")
        return tuple(raw)
    if kind is bool and not isinstance(raw, bool):
        raise TypeError("true or false")
    if kind is int and (not isinstance(raw, int) or isinstance(raw, bool)):
        raise TypeError("a whole number")
    if kind is float and (not isinstance(raw, int | float) or isinstance(raw, bool)):
        raise TypeError("a number")
    if kind is Path and (not isinstance(raw, str | Path) or not str(raw)):
        raise TypeError("a path in quotes")
    if kind is str and not isinstance(raw, str):
        raise TypeError("text in quotes")
    return kind(raw) if kind in (float, Path) else raw


def _placed(value: object, one: _Given, home: Path | None) -> object:
    """A relative path counts from the file that names it, else from the working directory."""
    if not isinstance(value, Path):
        return value
    base = home if home is not None and one.origin.kind == "file" else Path.cwd()
    return base / value.expanduser()


def _build(
    owner: type,
    prefix: str,
    values: Mapping[str, object],
    given: Mapping[str, _Given],
    problems: list[Problem],
) -> Any:
    """Make one dataclass and those in it; each value that it refuses becomes a problem with its place."""
    mine: dict[str, object] = {}
    places: list[str] = []
    for one, kind in _fields(owner):
        name = prefix + one.name
        if dataclasses.is_dataclass(kind) and isinstance(kind, type):
            mine[one.name] = _build(kind, name + ".", values, given, problems)
        elif name in values:
            places.append(given[name].where)
            if _accepts(owner, one.name, values[name], given[name].where, problems):
                mine[one.name] = values[name]
    try:
        return owner(**mine)
    except (ConfigError, ValueError) as error:  # each is good alone; together they are not
        named = [one.where for name, one in given.items() if "." in name and name in str(error)]
        problems.append(_refused(" and ".join(named or places), error))
        return owner()


def _accepts(owner: type, field: str, value: object, where: str, problems: list[Problem]) -> bool:
    try:
        owner(**{field: value})
    except (ConfigError, ValueError) as error:
        problems.append(_refused(where, error))
        return False
    return True


# --- messages -------------------------------------------------------------------------------------


def _refused(where: str, error: Exception) -> Problem:
    hint = getattr(error, "hint", "") or "remove it to get the default (warren config show)"
    return Problem(where, str(error), hint)


def _mistyped(one: _Given, wanted: str) -> Problem:
    example = to_toml(one.setting.default)
    if one.setting.kind in (str, Path) and isinstance(one.raw, int | float):
        example = f'"{one.raw}"'
    if typing.get_origin(one.setting.kind) is tuple and isinstance(one.raw, str):
        example = to_toml([one.raw])
    if one.origin.kind != "file":
        wanted, example = wanted.removesuffix(" in quotes"), example.strip('[]"')
        return Problem(one.where, f"must be {wanted}, not {one.raw}", f"give for instance {example}")
    message = f"{one.setting.name} must be {wanted}, not {to_toml(one.raw)}"
    return Problem(one.where, message, f"write for instance {one.setting.key} = {example}")


def _unknown(where: str, name: str, known: Mapping[str, Setting]) -> Problem:
    if name == "home":
        hint = f"say it with --home or {HOME_VARIABLE}: it decides where this file is"
        return Problem(where, "home cannot stand in the file", hint)
    section, _, key = name.rpartition(".")
    message = f'unknown key "{key}"' + (f" in [{section}]" if section else "")
    sections = {one.rpartition(".")[0] for one in known} - {""}
    if not section and (close := _closest(key, sections)):
        return Problem(where, message, f"did you mean [{close}]?")
    close = _closest(name, known) or next((one for one in known if one.rpartition(".")[2] == key), "")
    if not close:
        return Problem(where, message, "remove it; warren config show lists all keys")
    there, _, better = close.rpartition(".")
    place = "" if there == section else f" in [{there}]" if there else " above the first [table]"
    return Problem(where, message, f'did you mean "{better}"{place}?')


def _closest(name: str, among: Iterable[str]) -> str:
    import difflib

    return next(iter(difflib.get_close_matches(name, sorted(among), n=1, cutoff=0.7)), "")
