"""Raw bytes read as a message: a frozen, lazily decoded view that never raises and never loses a byte."""

from postroom.message.address import Address, parse_address, parse_addresses
from postroom.message.defects import Defect
from postroom.message.edit import AddHeader, DropPart, Edit, RemoveHeader, SetHeader, edited, in_original
from postroom.message.headers import Header, Headers
from postroom.message.html import html_to_text
from postroom.message.limits import Limits
from postroom.message.model import Message, parse
from postroom.message.names import safe_name
from postroom.message.part import Part

__all__ = [
    "AddHeader",
    "Address",
    "Defect",
    "DropPart",
    "Edit",
    "Header",
    "Headers",
    "Limits",
    "Message",
    "Part",
    "RemoveHeader",
    "SetHeader",
    "edited",
    "html_to_text",
    "in_original",
    "parse",
    "parse_address",
    "parse_addresses",
    "safe_name",
]
