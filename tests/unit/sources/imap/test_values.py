"""Atoms, strings and lists in a response."""

from postroom.sources.imap.values import values


def test_atoms_strings_lists_and_nil() -> None:
    assert values((rb'(a "b \"c\" \\" NIL "NIL" (d ()))',)) == [[b"a", b'b "c" \\', None, b"NIL", [b"d", []]]]


def test_a_section_is_one_atom_with_the_spaces_in_its_brackets() -> None:
    assert values((b"BODY[HEADER.FIELDS (TO CC)]<0> x",)) == [b"BODY[HEADER.FIELDS (TO CC)]<0>", b"x"]


def test_a_literal_stands_where_it_was_announced() -> None:
    assert values((b"(a {3}", b"(x)", b" b) c")) == [[b"a", b"(x)", b"b"], b"c"]


def test_parentheses_in_strings_do_not_count() -> None:
    assert values((b'("a (b" c) d',)) == [[b"a (b", b"c"], b"d"]


def test_nesting_has_an_end() -> None:
    assert values((b"(" * 100_000 + b"a",))
