"""An LMTP client that sends messages as fast as they are taken, one in flight on each connection.

    python benchmarks/peers/load.py --port PORT --directory DIR [--connections N] [--recipient ADDRESS ...]

The end of one message and the envelope of the next go out in one write (RFC 2920), so that a message costs one round trip for
its envelope and one for its body. Prints one JSON object.
"""

import argparse
import asyncio
import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from peers.report import percentile


def wire(message: bytes) -> bytes:
    """With CRLF and dots as RFC 5321 4.5.2 wants them, and the end."""
    lines = message.replace(b"\r\n", b"\n").replace(b"\n.", b"\n..").replace(b"\n", b"\r\n")
    return lines + (b"" if lines.endswith(b"\r\n") else b"\r\n") + b".\r\n"


async def expect(reader: asyncio.StreamReader, code: bytes) -> None:
    while True:
        line = await reader.readline()
        if line[:1] != code:
            raise RuntimeError(line.decode("latin-1"))
        if line[3:4] != b"-":
            return


async def connection(port: int, recipient: str, bodies: list[bytes], latencies: list[float]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    envelope = f"MAIL FROM:<load@bench.example>\r\nRCPT TO:<{recipient}>\r\nDATA\r\n".encode()
    await expect(reader, b"2")
    writer.write(b"LHLO bench.example\r\n")
    await expect(reader, b"2")
    if bodies:
        writer.write(envelope)
    while bodies:
        start = time.perf_counter()
        for code in (b"2", b"2", b"3"):
            await expect(reader, code)
        writer.write(bodies.pop())
        writer.write(envelope if bodies else b"QUIT\r\n")
        await writer.drain()
        await expect(reader, b"2")
        latencies.append(time.perf_counter() - start)
    writer.close()


async def load(port: int, connections: int, recipients: list[str], bodies: list[bytes]) -> dict[str, float]:
    shares = [bodies[number::connections] for number in range(connections)]
    latencies: list[float] = []
    start = time.perf_counter()
    await asyncio.gather(
        *(
            connection(port, recipients[number % len(recipients)], share, latencies)
            for number, share in enumerate(shares)
        )
    )
    wall = time.perf_counter() - start
    return {
        "messages": len(latencies),
        "wall": wall,
        "rate": len(latencies) / wall,
        "octets": sum(map(len, bodies)) / wall,
        "p50": percentile(latencies, 0.5),
        "p99": percentile(latencies, 0.99),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--directory", type=Path, required=True, help="one message a file")
    parser.add_argument("--connections", type=int, default=1)
    parser.add_argument("--recipient", action="append", help="one to a connection, in turn")
    options = parser.parse_args()
    bodies = [wire(path.read_bytes()) for path in sorted(options.directory.iterdir())]
    print(json.dumps(asyncio.run(load(options.port, options.connections, options.recipient or ["sink"], bodies))))


if __name__ == "__main__":
    main()
