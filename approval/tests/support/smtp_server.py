"""An SMTP server on loopback: as much of RFC 5321 as smtplib speaks, STARTTLS, and refusals on demand."""

import asyncio
import email
import email.policy
import ssl
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass
class SmtpServer:
    tls: ssl.SSLContext | None = None
    recipient_code: int = 250
    """What `RCPT TO` is answered with."""
    quit_answer: str | None = "221 bye"
    """What `QUIT` is answered with; None: nothing, and the connection stays open."""
    mails: list = field(default_factory=list)
    port: int = 0

    async def serve(self, reader, writer):
        async def say(text):
            writer.write(f"{text}\r\n".encode())
            await writer.drain()

        try:
            await say("220 here")
            while line := (await reader.readline()).decode().strip():
                match line.split(" ")[0].upper():
                    case "EHLO":
                        writer.write(b"250-here\r\n" + (b"250-STARTTLS\r\n" if self.tls else b""))
                        await say("250 8BITMIME")
                    case "STARTTLS":
                        await say("220 go ahead")
                        await writer.start_tls(self.tls)
                    case "RCPT":
                        await say(f"{self.recipient_code} so it is")
                    case "DATA":
                        await say("354 go on")
                        body = await reader.readuntil(b"\r\n.\r\n")
                        self.mails.append(email.message_from_bytes(body, policy=email.policy.default))
                        await say("250 taken")
                    case "QUIT":
                        if self.quit_answer is not None:
                            await say(self.quit_answer)
                            return
                    case _:
                        await say("250 fine")
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def smtp_server(**wanted):
    server = SmtpServer(**wanted)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        listening.close_clients()
