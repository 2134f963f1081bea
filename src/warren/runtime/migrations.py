"""The numbered scripts that make a database.

In: packages that own tables of one database, each with `schema/NNNN_*.sql`. Out: the scripts of all in the
order of their numbers, which count through the database, whoever the tables belong to.
"""

from __future__ import annotations

from importlib import resources


def numbered_scripts(*packages: str) -> list[str]:
    """The scripts that bring the database from version i to i + 1."""
    folders = [resources.files(package) / "schema" for package in packages]
    scripts = [one for folder in folders for one in folder.iterdir() if one.name.endswith(".sql")]
    return [one.read_text(encoding="utf-8") for one in sorted(scripts, key=lambda one: one.name)]
