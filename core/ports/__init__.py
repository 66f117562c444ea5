"""The I/O that the workflow needs, as narrow protocols; each docstring is the contract that every adapter keeps.

Each port has an in-memory twin that ships beside the real one, and one contract suite runs on both. All methods may be
called from one event loop. Times are aware UTC datetimes, durations seconds, digests lower-case SHA-256 hexadecimal.
"""

from __future__ import annotations

from core.ports.artifacts import AlphaFile, ArtifactProblem, ArtifactSource, ArtifactStore
from core.ports.channels import Channel, ChannelDown, ChannelGone, Form
from core.ports.messages import Door, Incoming, Outcome, Reply
from core.ports.people import Clock, Memberships, People
from core.ports.servers import Agent, Agents, Probe, Progress, ServerFault
from core.ports.store import (
    CardRow,
    Change,
    Conflict,
    FenceLost,
    Kind,
    Lease,
    Outbound,
    Page,
    Queued,
    Settled,
    Store,
    Surroundings,
    Waiting,
)

__all__ = [
    "Agent",
    "Agents",
    "AlphaFile",
    "ArtifactProblem",
    "ArtifactSource",
    "ArtifactStore",
    "CardRow",
    "Change",
    "Channel",
    "ChannelDown",
    "ChannelGone",
    "Clock",
    "Conflict",
    "Door",
    "FenceLost",
    "Form",
    "Incoming",
    "Kind",
    "Lease",
    "Memberships",
    "Outbound",
    "Outcome",
    "Page",
    "People",
    "Probe",
    "Progress",
    "Queued",
    "Reply",
    "ServerFault",
    "Settled",
    "Store",
    "Surroundings",
    "Waiting",
]
