"""A DNS server on a free port of 127.0.0.1 with the zones of a test; it can also fail, be silent, or cut its answers."""

import socket
import socketserver
import struct
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

Fault = Literal["servfail", "refused", "silent", "truncated", "garbage"]
Zone = Mapping[str, Mapping[str, Sequence[str]]]
"""By name and kind, records as zone files write them: `{"example.com": {"MX": ["10 mx.example.com."]}}`."""


@dataclass
class Dns:
    """A running server. Zone and faults (by name) may be changed meanwhile. `asked`: `NAME KIND`, all that came."""

    zone: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    faults: dict[str, Fault] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    port: int = 0
    ttl: int = 300

    @property
    def servers(self) -> list[tuple[str, int]]:
        return [("127.0.0.1", self.port)]

    def add(self, name: str, kind: str, *records: str) -> None:
        self.zone.setdefault(name.lower(), {}).setdefault(kind, []).extend(records)

    def text(self, name: str, text: str) -> None:
        """A TXT record, cut into strings as long as they may be."""
        pieces = [text[at : at + 255] for at in range(0, len(text), 255)]
        self.add(name, "TXT", " ".join(f'"{piece}"' for piece in pieces))

    def answer(self, packet: bytes, *, datagram: bool) -> bytes | None:
        query = dns.message.from_wire(packet)
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True).lower()
        kind = dns.rdatatype.to_text(question.rdtype)
        self.asked.append(f"{name} {kind}")
        fault = self.faults.get(name)
        if fault == "silent":
            return None
        if fault == "garbage":
            return packet[:2] + b"\xff" * 10
        reply = dns.message.make_response(query)
        reply.flags |= dns.flags.RA
        if fault in ("servfail", "refused"):
            reply.set_rcode(dns.rcode.SERVFAIL if fault == "servfail" else dns.rcode.REFUSED)
        elif fault == "truncated" and datagram:
            reply.flags |= dns.flags.TC
        elif name not in self.zone:
            reply.set_rcode(dns.rcode.NXDOMAIN)
        else:
            self._fill(reply, question.name, name, kind)
        return reply.to_wire()

    def _fill(self, reply: dns.message.Message, asked: dns.name.Name, name: str, kind: str) -> None:
        held = self.zone[name]
        for one in (kind, "CNAME"):
            if one in held:
                reply.answer.append(dns.rrset.from_text_list(asked, self.ttl, "IN", one, held[one]))
                if one == "CNAME" and len(reply.answer) < 20:
                    target = dns.name.from_text(held[one][0])
                    self._fill(reply, target, target.to_text(omit_final_dot=True).lower(), kind)
                return


@contextmanager
def serving(zone: Zone | None = None) -> Iterator[Dns]:
    """Over UDP and TCP."""
    made = Dns({name.lower(): {kind: list(r) for kind, r in held.items()} for name, held in (zone or {}).items()})

    class Datagram(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            packet, server = self.request
            if (reply := made.answer(packet, datagram=True)) is not None:
                server.sendto(reply, self.client_address)

    class Stream(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            (size,) = struct.unpack("!H", self.rfile.read(2))
            if (reply := made.answer(self.rfile.read(size), datagram=False)) is not None:
                self.wfile.write(struct.pack("!H", len(reply)) + reply)

    udp, tcp = _bound(Datagram, Stream)
    made.port = udp.server_address[1]
    threads = [threading.Thread(target=one.serve_forever, args=(0.05,)) for one in (udp, tcp)]
    for thread in threads:
        thread.start()
    try:
        yield made
    finally:
        for server in (udp, tcp):
            server.shutdown()
            server.server_close()
        for thread in threads:
            thread.join()


def _bound(
    datagram: type[socketserver.BaseRequestHandler], stream: type[socketserver.BaseRequestHandler]
) -> tuple[socketserver.UDPServer, socketserver.TCPServer]:
    """Both on one port."""
    while True:
        udp = socketserver.ThreadingUDPServer(("127.0.0.1", 0), datagram)
        udp.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        try:
            return udp, socketserver.ThreadingTCPServer(udp.server_address, stream)
        except OSError:
            udp.server_close()
