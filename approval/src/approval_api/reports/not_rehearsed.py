"""What no simulated network here contains, so that a report promises no more than it knows."""

from dryrun_contract.report import NotRehearsed

NOT_REHEARSED = (
    NotRehearsed(
        what="Windows hosts",
        why="Every target is Linux. SMB, RPC, WinRM and RDP of Windows answer scans in their own ways.",
    ),
    NotRehearsed(
        what="Microsoft directories",
        why="No Active Directory: neither its lockout policies nor what its monitoring makes of LDAP reads.",
    ),
    NotRehearsed(
        what="Printers and other embedded devices",
        why="Some print what arrives on a port, or hang after a version probe. None is simulated.",
    ),
    NotRehearsed(
        what="Firewalls, load balancers, intrusion detection",
        why="Nothing stands between collector and targets: no state tables to fill, no rule to trip.",
    ),
    NotRehearsed(
        what="Industrial devices",
        why="Controllers may stop at a port scan. Never conclude from this report that one would not.",
    ),
    NotRehearsed(
        what="Real load",
        why="Targets serve nobody else. What a scan costs a busy server beside its users was not measured.",
    ),
    NotRehearsed(
        what="Routers, slow and lossy lines, IPv6",
        why="One bridge on one machine. Behind routers, timeouts and repeats change packets and duration.",
    ),
)
