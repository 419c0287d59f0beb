"""Says which addresses answer from where it runs: `reach.py '[["10.0.0.1", 80], …]'` prints a word for each.

Runs inside the network namespace of a container, with nothing but Python's own library. `open` and `refused`
both mean that a packet came back; `no route` and `no answer` mean that none did.
"""

import asyncio
import errno
import json
import sys

SECONDS = 2.0
NO_ROUTE = {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL, errno.EACCES, errno.EPERM}


async def reach(host: str, port: int) -> str:
    try:
        async with asyncio.timeout(SECONDS):
            _, writer = await asyncio.open_connection(host, port)
    except TimeoutError:
        return "no answer"
    except ConnectionRefusedError:
        return "refused"
    except OSError as error:
        return "no route" if error.errno in NO_ROUTE else str(error)
    writer.close()
    return "open"


async def main() -> None:
    wanted = json.loads(sys.argv[1])
    sys.stdout.write(json.dumps(await asyncio.gather(*(reach(host, port) for host, port in wanted))))


asyncio.run(main())
