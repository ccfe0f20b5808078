"""Header fields by name and by offset."""

import pytest

from postroom.message import Defect, Limits, parse

RAW = b"From x\r\nReceived: one\r\n  two\r\nsubject : =?utf-8?q?caf=C3=A9?=\r\nReceived: three\r\n\r\nbody"


def test_names_are_found_in_any_case_and_values_are_unfolded_and_decoded() -> None:
    headers = parse(RAW).headers
    assert headers.get("SUBJECT") == "café"
    assert headers.get_all("received") == ("one  two", "three")
    assert headers.unfolded_all("received") == ("one  two", "three")
    assert headers.get("missing") is None
    assert headers.get_all("missing") == ()
    assert headers.octets("missing") == ""


def test_fields_stand_in_their_order() -> None:
    headers = parse(RAW).headers
    assert [header.name for header in headers] == ["Received", "subject", "Received"]
    assert list(headers.items()) == [("Received", "one  two"), ("subject", "café"), ("Received", "three")]
    assert headers[-1].value == headers[2:][0].value == "three"
    assert len(headers) == 3


@pytest.mark.parametrize("repeat", [1, 20], ids=["few", "many"])
def test_offsets_lead_to_the_bytes_of_a_field(repeat: int) -> None:
    raw = RAW.replace(b"subject", b"X: y\r\nno field\r\n" * repeat + b"subject")
    message = parse(raw)
    for header in message.headers:
        assert raw[header.start : header.end] == bytes(header.raw)
        assert bytes(header.raw).endswith(b"\r\n")
    (subject,) = message.headers.fields("Subject")
    assert bytes(subject.raw) == b"subject : =?utf-8?q?caf=C3=A9?=\r\n"
    assert raw[message.header_start :].startswith(b"Received: one")
    assert raw[message.body_start :] == b"body"


@pytest.mark.parametrize("count", [1, 3, 8], ids=["one", "few", "many"])
def test_repeated_fields_are_counted(count: int) -> None:
    headers = parse(b"A: b\r\n" * count + b"C: d\r\n\r\n").headers
    assert headers.occurrences("a") == len(headers.fields("A")) == count
    assert headers.occurrences("c") == 1
    assert headers.occurrences("b") == 0


def test_raw_bytes_of_a_field_with_a_bare_cr_stay_as_they_are() -> None:
    raw = b"A: b\rC: d\r\n\r\nbody"
    headers = parse(raw).headers
    assert [(header.name, bytes(header.raw)) for header in headers] == [("A", b"A: b\r"), ("C", b"C: d\r\n")]


def test_addresses_of_repeated_fields_are_read_together_up_to_the_limit() -> None:
    message = parse(b"To: someone@example.org\r\n" * 100 + b"\r\n", limits=Limits(header=998))
    assert 0 < len(message.to) < 100
    assert message.truncated
    assert Defect.HEADER_TOO_LONG in message.layout_defects


def test_a_field_that_is_no_list_of_addresses_may_be_repeated_past_the_limit() -> None:
    assert not parse(b"Received: from somewhere\r\n" * 100 + b"\r\n", limits=Limits(header=998)).truncated
