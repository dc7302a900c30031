"""Firefox for Playwright: runs Firefox, and answers the one command that its ESR does not know yet.

Playwright drives Firefox by WebDriver BiDi, and begins each window with
`emulation.setMediaFeaturesOverride`. A Firefox without it ends the window with "unknown command".
This program stands between the two: it starts Firefox with its own arguments, tells Playwright an
address of its own, and passes everything on; only that command becomes one that changes nothing.

    python firefox_relay.py FIREFOX ARGUMENT …
"""

from __future__ import annotations

import asyncio
import json
import re
import sys

UNKNOWN = "emulation.setMediaFeaturesOverride"
HARMLESS = "session.status"
LISTENING = re.compile(rb"(WebDriver BiDi listening on ws://[\d.]+:)(\d+)")


def without_unknown(payload: bytes) -> bytes:
    """A message of the same length; JSON may end with spaces."""
    if UNKNOWN.encode() not in payload:
        return payload
    message = json.loads(payload)
    if message["method"] != UNKNOWN:
        return payload
    harmless = {"id": message["id"], "method": HARMLESS, "params": {}}
    return json.dumps(harmless).encode().ljust(len(payload))


def masked(payload: bytes, mask: bytes) -> bytes:
    """The payload of a frame under its mask, and back (RFC 6455, 5.3)."""
    size = len(payload)
    key = (mask * (size // 4 + 1))[:size]
    both = int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")
    return both.to_bytes(size, "big")


async def pass_commands(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: bytes
) -> None:
    """From Playwright to Firefox: the greeting of HTTP, then frame by frame (RFC 6455, 5.2)."""
    greeting = await reader.readuntil(b"\r\n\r\n")
    writer.write(re.sub(rb"(?i)(\r\nhost:) [^\r]*", rb"\1 " + host, greeting))
    while True:
        head = await reader.readexactly(2)
        short = head[1] & 127
        more = await reader.readexactly({126: 2, 127: 8}.get(short, 0))
        size = int.from_bytes(more, "big") if more else short
        mask = await reader.readexactly(4)
        payload = masked(await reader.readexactly(size), mask)
        writer.write(head + more + mask + masked(without_unknown(payload), mask))
        await writer.drain()


async def pass_answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """From Firefox to Playwright: all that comes."""
    while some := await reader.read(1 << 16):
        writer.write(some)
        await writer.drain()


async def relay(arguments: list[str]) -> int:
    firefox = await asyncio.create_subprocess_exec(*arguments, stderr=asyncio.subprocess.PIPE)
    assert firefox.stderr is not None
    port = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        above, below = await asyncio.open_connection("127.0.0.1", port)
        ways = [pass_commands(reader, below, b"127.0.0.1:%d" % port), pass_answers(above, writer)]
        await asyncio.wait(map(asyncio.ensure_future, ways), return_when=asyncio.FIRST_COMPLETED)
        below.close()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    own = server.sockets[0].getsockname()[1]
    async for line in firefox.stderr:
        if found := LISTENING.search(line):
            port = int(found[2])
            line = found[1] + str(own).encode() + b"\n"
        sys.stderr.buffer.write(line)
        sys.stderr.buffer.flush()
    return await firefox.wait()


if __name__ == "__main__":
    sys.exit(asyncio.run(relay(sys.argv[1:])))
