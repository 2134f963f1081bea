"""Petnames: fit to be typed, unique whatever their case, never mistaken for something else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warren.core.errors import InputError
from warren.core.keys import PrivateKey
from warren.services.contacts.petname import (
    PETNAME_CHARS_MAX,
    check_petname,
    free_petname,
    petname_from,
    petname_key,
)

ANNA = PrivateKey.from_seed(bytes(32)).peer_id


@pytest.mark.parametrize("name", ["anna", "Anna Maria", "anna@home", "Ünsal", "安娜", "a", "7of9", "x" * 64])
def test_ordinary_names_pass(name: str) -> None:
    assert check_petname(f"  {name} ") == name


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("", "characters"),
        ("   ", "characters"),
        ("x" * 65, "characters"),
        ("an\nna", "do not show"),
        ("anna\u202e", "do not show"),
        ("anna/share", "/"),
        ("anna,bob", ","),
        ("peer:anna", ":"),
        ("-anna", "starts with -"),
        ("12", "listing"),
        ("12D3KooWhatever", "peer id"),
        (str(ANNA), "peer id"),
        (ANNA.to_cid_text(), "peer id"),
    ],
)
def test_what_would_be_mistaken_is_refused(name: str, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint) as caught:
        check_petname(name)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("claimed", "petname"),
    [
        ("anna@home", "anna@home"),
        (" Anna  Maria ", "Anna-Maria"),
        ("../../etc", "..-..-etc"),
        ("--force", "force"),
        ("an\u202ena", "an-na"),
        ("", f"peer-{ANNA.short}"),
        ("42", f"peer-{ANNA.short}"),
        (str(ANNA), f"peer-{ANNA.short}"),
        ("y" * 99, "y" * 64),
    ],
)
def test_a_claimed_name_becomes_a_fit_one(claimed: str, petname: str) -> None:
    assert petname_from(claimed, ANNA) == petname


@given(st.text(max_size=100))
def test_any_claimed_name_becomes_one_that_passes(claimed: str) -> None:
    name = petname_from(claimed, ANNA)
    assert check_petname(name) == name


def test_case_and_composition_make_no_second_name() -> None:
    assert petname_key("Anna") == petname_key("ANNA")
    assert petname_key("Ju\u0308rgen") == petname_key("JÜRGEN")
    assert petname_key("anna") != petname_key("hanna")


def test_a_taken_name_is_numbered() -> None:
    taken = {petname_key(name) for name in ("Anna", "anna-2")}
    assert free_petname("anna", taken.__contains__) == "anna-3"
    assert free_petname("bob", taken.__contains__) == "bob"
    long = "z" * PETNAME_CHARS_MAX
    assert free_petname(long, {petname_key(long)}.__contains__) == "z" * 62 + "-2"
