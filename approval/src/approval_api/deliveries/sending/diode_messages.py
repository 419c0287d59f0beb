"""The few of Diode's messages that a delivery needs, with their numbers in `diode/v1/ingester.proto`.

Diode's SDK is published as source only, and images are built of wheels; a test compares these with it, so
that a number that is wrong here, or another there, is found.
"""

from typing import Any

from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

_PACKAGE = "diode.v1"
_MESSAGES: dict[str, dict[str, tuple[int, str | None, bool]]] = {
    "IPAddress": {"address": (1, None, False)},
    "Entity": {"ip_address": (31, "IPAddress", False)},
    "IngestRequest": {
        "stream": (1, None, False),
        "entities": (2, "Entity", True),
        "id": (3, None, False),
        "producer_app_name": (4, None, False),
        "producer_app_version": (5, None, False),
        "sdk_name": (6, None, False),
        "sdk_version": (7, None, False),
    },
    "IngestResponse": {"errors": (1, None, True)},
}
"""Fields by message: number, the message that it holds (None: text), whether it is repeated."""


def _classes() -> dict[str, Any]:
    kinds = FieldDescriptorProto
    file = FileDescriptorProto(name="diode/v1/deliveries.proto", package=_PACKAGE, syntax="proto3")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, (number, holds, repeated) in fields.items():
            message.field.add(
                name=field,
                number=number,
                label=kinds.LABEL_REPEATED if repeated else kinds.LABEL_OPTIONAL,
                type=kinds.TYPE_MESSAGE if holds else kinds.TYPE_STRING,
                type_name=f".{_PACKAGE}.{holds}" if holds else None,
            )
    # A pool of its own: whoever has the SDK in the same process has these names, too.
    pool = DescriptorPool()
    pool.Add(file)
    return {name: GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}")) for name in _MESSAGES}


_BY_NAME = _classes()
IPAddress, Entity = _BY_NAME["IPAddress"], _BY_NAME["Entity"]
IngestRequest, IngestResponse = _BY_NAME["IngestRequest"], _BY_NAME["IngestResponse"]
