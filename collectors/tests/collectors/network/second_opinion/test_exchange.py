import time

from listening import listening

from discovery_collectors.collectors.network.second_opinion.exchange import Ending, Questioner
from discovery_collectors.running.packet_rate import PacketRate
from discovery_collectors.running.scope import Scope

ADDRESS = Scope.parse(["127.0.0.1"]).admit("127.0.0.1")


def questioner(number: int, *, answer=2.0, seconds=10.0) -> Questioner:
    return Questioner(ADDRESS, number, answer, seconds, PacketRate(None))


async def endless(reader, writer):
    try:
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()
    except ConnectionError:
        writer.close()


async def silent(reader, writer):
    await reader.read()
    writer.close()


async def test_an_endless_answer_is_read_up_to_64_kib():
    async with listening(endless) as number:
        answer = await questioner(number).ask(b"?")
    assert (len(answer.content), answer.ending) == (64 * 1024, Ending.WHOLE)


async def test_the_sending_side_closes_only_where_the_question_asks_for_it():
    async def once_all_is_said(reader, writer):
        writer.write(b"all: " + await reader.read())
        writer.close()

    async with listening(once_all_is_said) as number:
        asking = questioner(number, answer=0.3)
        assert (await asking.ask(b"ping")).content == b""
        assert (await asking.ask(b"ping", then_end=True)).content == b"all: ping"


async def test_silence_costs_the_time_of_an_answer_and_all_answers_the_time_of_the_port():
    async with listening(silent) as number:
        asking = questioner(number, answer=0.4, seconds=0.6)
        began = time.monotonic()
        first = await asking.ask(b"?")
        assert (first.content, first.ending) == (b"", Ending.QUIET)
        assert 0.3 < time.monotonic() - began < 2
        await asking.ask(b"?")
        last = await asking.ask(b"?")
    assert last.ending is Ending.NO_TIME
    assert asking.time_is_up


async def test_nothing_listening_is_distinguished_from_silence():
    async with listening(silent) as number:
        pass
    assert (await questioner(number).ask(b"?")).ending is Ending.UNREACHABLE


async def test_what_speaks_no_tls_is_distinguished_from_silence():
    async with listening(silent) as number:
        asking = questioner(number, answer=0.3)
        asking.tls = True
        assert (await asking.ask(b"?")).ending is Ending.NO_TLS


async def test_a_large_answer_is_paid_for_when_it_has_come():
    paid = []

    class Counted(PacketRate):
        async def take(self, packets, *, ahead=False):
            paid.append(packets)

    async with listening(endless) as number:
        await Questioner(ADDRESS, number, 2.0, 10.0, Counted(None)).ask(b"?")
    # 64 KiB came in 47 segments, two of which a question's ten packets cover.
    assert paid == [10, 45]
