"""Questions as bytes, read as their protocols define them."""

import struct

import pytest

from discovery_collectors.collectors.network.second_opinion.protocol_bytes import GLUSTER, NFS, RPCBIND


@pytest.mark.parametrize(
    ("call", "program", "version", "procedure"),
    [(RPCBIND, 100000, 4, 0), (NFS, 100003, 4, 0), (GLUSTER, 123451501, 1, 1)],
    ids=["rpcbind", "nfs", "gluster"],
)
def test_a_call_of_onc_rpc_is_one_record_without_a_login(call, program, version, procedure):
    mark, _, *words = struct.unpack("!I4s9I", call)
    assert mark == 0x80000000 + len(call) - 4
    assert words == [0, 2, program, version, procedure, 0, 0, 0, 0]
