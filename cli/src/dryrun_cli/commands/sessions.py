"""Commands on templates and existing sessions: templates, list, show, events, stop."""

import sys
from contextlib import aclosing

from pydantic import JsonValue

from dryrun_cli.api.client import ApiClient
from dryrun_cli.api.event_stream import Received
from dryrun_cli.api.reading import ListedSession, read_event, read_session, read_template, read_word
from dryrun_cli.api.session_ids import find_session_id, newest_sessions
from dryrun_cli.commands.command import command, make_console, write, write_json, wrote_json
from dryrun_cli.drawing.glyphs import glyphs_for
from dryrun_cli.drawing.safe_text import inert
from dryrun_cli.drawing.tables import draw_pool, draw_session, draw_sessions, draw_templates
from dryrun_cli.invocation import Common
from dryrun_cli.live.screens import Manner, make_screen
from dryrun_cli.live.watched_session import WatchedSession
from dryrun_contract.pool import Pool
from dryrun_contract.session import Phase


@command
async def list_templates(client: ApiClient, common: Common) -> None:
    """`dryrun templates`."""
    answer = await client.templates()
    write(common, answer, lambda _: draw_templates(map(read_template, answer)))


@command
async def list_sessions(client: ApiClient, common: Common, *, limit: int) -> None:
    """`dryrun list`, the newest `limit` sessions."""
    if common.json_output:
        raw: list[JsonValue] = []
        async with aclosing(client.sessions()) as sessions:
            async for session in sessions:
                raw.append(session)
                if len(raw) == limit:
                    break
        write_json(raw)
    else:
        console = make_console()
        found = await newest_sessions(client, limit)
        console.print(draw_sessions(found, glyphs_for(console.encoding), console.width, client.now()))


@command
async def list_pool(client: ApiClient, common: Common) -> None:
    """`dryrun list --pool`."""
    answer = await client.ask("GET", "/dryrun/pool")
    write(
        common,
        answer,
        lambda glyphs: draw_pool(read_word(Pool, answer, "what is prepared"), glyphs, client.now()),
    )


@command
async def show_session(client: ApiClient, common: Common, text: str) -> None:
    """`dryrun show ID`."""
    answer = await client.session(await find_session_id(client, text))
    write(
        common,
        answer,
        lambda glyphs: draw_session(read_word(ListedSession, answer, "a session"), glyphs, client.now()),
    )


@command
async def stop(client: ApiClient, common: Common, text: str) -> None:
    """`dryrun stop ID`."""
    session_id = await find_session_id(client, text)
    before = read_session(await client.session(session_id))
    answer = await client.stop_session(session_id)
    if wrote_json(common, answer):
        return
    if before.phase == Phase.ENDED:
        ended = inert(before.outcome or "no outcome")
        sys.stdout.write(f"Session {session_id} has already ended ({ended}).\n")
    else:
        sys.stdout.write(f"Stopping session {session_id}.\nTo watch its cleanup: dryrun watch {session_id}\n")


@command
async def events(client: ApiClient, common: Common, text: str) -> None:
    """`dryrun events ID`: the events so far."""
    session_id = await find_session_id(client, text)
    manner = Manner.JSON if common.json_output else Manner.PLAIN
    screen = make_screen(manner, make_console(), session_id, "leave")
    state = WatchedSession()
    async with aclosing(client.events(session_id)) as raw_events:
        async for raw in raw_events:
            event = read_event(raw)
            if event:
                state.read(event)
            screen.received(Received(raw, event), state)
