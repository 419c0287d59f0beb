"""What an engine call may raise, by whether the same call may succeed later."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dryrun_orchestrator.engine.protocol import Container


class EngineError(Exception):
    """An engine call failed.

    EngineError
      TransientEngineError     temporary: try again
        EngineUnreachableError   no answer: engine or guard down, deadline passed, connection cut
          EngineDownError        the engine's own socket takes no connection, or a guard says that it is down
          GuardDownError         nothing takes a connection where the guard before the engine should
      PermanentEngineError     will fail again
        NotFoundError            no such container or network (404)
        ImageMissingError        no such image on this engine (404 on create); it is never pulled
        ConflictError            name taken, or state does not allow it (409)
        SubnetTakenError         the subnet overlaps with another network of the engine
        InUseByTaskError         the swarm has a task on the overlay, and does not remove it
        ForbiddenError           a proxy in front of the engine refused the call (403); names the call
          ImageNotAllowedError     the image is not in the guard's allowlist
        RejectedError            the engine refused the request (400) or answered what it should not
    """

    elsewhere: "Mapping[str, Sequence[Container]]" = MappingProxyType({})
    """Where a host of a fleet did not list its containers: those of each host that did."""


class TransientEngineError(EngineError):
    """The same call may succeed later."""


class EngineUnreachableError(TransientEngineError):
    """No answer, or the connection was cut midway."""


class EngineDownError(EngineUnreachableError):
    """The engine itself does not answer: nothing takes a connection at its socket, or its guard says so."""


class GuardDownError(EngineUnreachableError):
    """Nothing takes a connection at the address of the guard, or another proxy, before the engine."""


class PermanentEngineError(EngineError):
    """The same call will fail again."""


class NotFoundError(PermanentEngineError):
    """No such container or network."""


class ImageMissingError(PermanentEngineError):
    """The image is not on this engine. It is never pulled; an operator builds or loads it."""


class ConflictError(PermanentEngineError):
    """The name is taken, or the object's state does not allow the call."""


class SubnetTakenError(PermanentEngineError):
    """The subnet overlaps with another network of this engine."""


class InUseByTaskError(PermanentEngineError):
    """The swarm has a task on this overlay, for a container on some host or for one that is gone."""


class ForbiddenError(PermanentEngineError):
    """A proxy in front of the engine refused this call; the message names method and path."""


class ImageNotAllowedError(ForbiddenError):
    """The image is not in the guard's allowlist: it was taken out since the session began."""


class RejectedError(PermanentEngineError):
    """The engine refused the request as invalid."""
