"""One session with an SMB server: logs in, opens the pipe of the server service, and asks for its shares."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from discovery_collectors.collectors.directory import share_list
from discovery_collectors.collectors.directory import smb_messages as smb
from discovery_collectors.collectors.directory.ntlm import (
    Anonymous,
    Names,
    NtlmError,
    WithPassword,
    read_names,
)
from discovery_collectors.collectors.directory.share_list import RpcError, RpcRefusedError, Share
from discovery_collectors.collectors.directory.smb_messages import Reply, SmbError
from discovery_collectors.running.scope import ScopedAddress

SESSION_SECONDS = 20
_MESSAGE_BYTES = 128 * 1024
_LIST_BYTES = 1024 * 1024
_SIGNING_REQUIRED = 2
_GUEST_OR_NOBODY = 3


class SmbRefusedError(RuntimeError):
    """The server refuses this login, or refuses it the list of shares; the text says which."""


@dataclass(frozen=True, slots=True)
class FileServer:
    """What a session learned."""

    names: Names
    dialect: str
    signing_required: bool
    shares: tuple[Share, ...]
    all_shares: bool = True


async def list_shares(address: ScopedAddress, port: int, login: Anonymous | WithPassword) -> FileServer:
    """Log in once and list the shares. Raises SmbError, SmbRefusedError."""
    try:
        async with asyncio.timeout(SESSION_SECONDS), _connected(address, port) as session:
            dialect, signing = await session.negotiate()
            names = await session.log_in(login)
            if signing and not session.signs:
                raise SmbRefusedError("it requires signed messages, which an anonymous login cannot send")
            shares, complete = await session.list_shares()
            return FileServer(names, dialect, signing, tuple(shares), complete)
    except TimeoutError:
        raise SmbError(f"it took more than {SESSION_SECONDS} s") from None
    except RpcRefusedError as error:
        raise SmbRefusedError(str(error)) from error
    except RpcError as error:
        raise SmbError(str(error)) from error
    except (OSError, EOFError, NtlmError) as error:
        raise SmbError(f"no answer in SMB 2: {error}"[:300]) from error


@asynccontextmanager
async def _connected(address: ScopedAddress, port: int) -> AsyncIterator["_Session"]:
    reader, writer = await asyncio.open_connection(address, port)
    session = _Session(address, reader, writer)
    try:
        yield session
        with suppress(SmbError, SmbRefusedError):
            await session.ask(smb.LOGOFF, smb.logoff())
    finally:
        writer.close()


class _Session:
    def __init__(
        self, address: ScopedAddress, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._address = address
        self._reader = reader
        self._writer = writer
        self._next_id = 0
        self._session_id = 0
        self._tree_id = 0
        self._key = b""

    @property
    def signs(self) -> bool:
        return bool(self._key)

    async def ask(self, command: int, body: bytes, *accepted: int) -> Reply:
        """Send a message and wait for its answer, whose status is success or among `accepted`."""
        number = self._next_id
        self._next_id += 1
        message = smb.request(
            command, number, body, session_id=self._session_id, tree_id=self._tree_id, key=self._key
        )
        self._writer.write(len(message).to_bytes(4) + message)
        await self._writer.drain()
        while True:
            size = int.from_bytes(await self._reader.readexactly(4))
            if size > _MESSAGE_BYTES:
                raise SmbError(f"it announces a message of {size} bytes")
            reply = smb.read_reply(await self._reader.readexactly(size))
            # STATUS_PENDING: the answer itself is still to come.
            if reply.message_id == number and reply.status != 0x00000103:
                break
        if reply.status in smb.REFUSALS:
            raise SmbRefusedError(f"it refuses (status {reply.status:#010x})")
        if reply.status not in {smb.SUCCESS, *accepted}:
            raise SmbError(f"it answers with status {reply.status:#010x}")
        return reply

    async def negotiate(self) -> tuple[str, bool]:
        """Return the dialect, and whether messages have to be signed."""
        reply = await self.ask(smb.NEGOTIATE, smb.negotiate(secrets.token_bytes(16)))
        _, security, dialect = reply.unpack("<HHH")
        return f"{dialect >> 8}.{dialect >> 4 & 0xF}.{dialect & 0xF}", bool(security & _SIGNING_REQUIRED)

    async def log_in(self, login: Anonymous | WithPassword) -> Names:
        """Log in, once; return the names that the server gives itself."""
        reply = await self.ask(smb.SESSION_SETUP, smb.session_setup(login.first()), smb.MORE_PROCESSING)
        self._session_id = reply.session_id
        _, _, offset, length = reply.unpack("<HHHH")
        challenge = reply.buffer(offset, length)
        names = read_names(challenge)
        reply = await self.ask(smb.SESSION_SETUP, smb.session_setup(login.second(challenge)))
        if not reply.unpack("<HH")[1] & _GUEST_OR_NOBODY:
            self._key = login.key
        return names

    async def list_shares(self) -> tuple[list[Share], bool]:
        """Open the pipe `srvsvc`, call, and close it again; return shares, and whether these are all."""
        reply = await self.ask(smb.TREE_CONNECT, smb.tree_connect(rf"\\{self._address}\IPC$"))
        self._tree_id = reply.tree_id
        reply = await self.ask(smb.CREATE, smb.create_pipe("srvsvc"))
        file_id = reply.buffer(64 + 64, 16)
        try:
            bound = await self._exchange(file_id, share_list.bind())
            if not share_list.is_bound(bound):
                raise RpcRefusedError("it has no list of shares for this login")
            content = await self._exchange(file_id, share_list.share_enum(rf"\\{self._address}"))
            stub, ended = await self._put_together(file_id, content)
            return share_list.read_shares(stub, ended=ended)
        finally:
            with suppress(SmbError, SmbRefusedError):
                await self.ask(smb.CLOSE, smb.close(file_id))

    async def _exchange(self, file_id: bytes, data: bytes) -> bytes:
        reply = await self.ask(smb.IOCTL, smb.transceive(file_id, data), smb.MORE_FOLLOWS)
        offset, length = reply.unpack("<II", 32)
        return reply.buffer(offset, length)

    async def _put_together(self, file_id: bytes, content: bytes) -> tuple[bytes, bool]:
        """Return an answer that comes in fragments, and whether it was read to its end."""
        stub = b""
        while len(stub) < _LIST_BYTES:
            fragment = share_list.split_fragment(content)
            if fragment is None:
                reply = await self.ask(smb.READ, smb.read_pipe(file_id), smb.MORE_FOLLOWS)
                offset, length = reply.unpack("<BxI", 2)
                content += reply.buffer(offset, length)
                continue
            data, last, content = fragment
            stub += data
            if last:
                return stub, True
        return stub, False
