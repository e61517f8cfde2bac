"""The client of Earnest, milestone escrow as a service: `Earnest` first; the rest stands beside it."""

from earnest_client.api import *  # noqa: F403 - the operations' inputs, answers and enums, made from the schema
from earnest_client.chains import Head, Link, Report, check_chains, link_of_event, link_of_webhook
from earnest_client.client import BeyondTheLog, Earnest
from earnest_client.errors import (
    ConflictOfInterest,
    EarnestError,
    Forbidden,
    IdempotencyKeyReused,
    InsufficientFunds,
    InvalidInput,
    InvalidState,
    MilestoneLocked,
    NextNotFunded,
    NotFound,
    OperationFailed,
    OutOfSequence,
    RateLimited,
    Refused,
    SameParty,
    StaleChangeRequest,
    Unauthenticated,
    Unreachable,
    UnsafeToRepeat,
    UserError,
    VersionConflict,
)
from earnest_client.keys import FileKeys, Keys, KeyStore, MemoryKeys, new_key
from earnest_client.lists import every, pages
from earnest_client.mirror import Mirror
from earnest_client.mirror_stores import MemoryMirror, MirrorStore, MirrorUpdate, SQLiteMirror
from earnest_client.places import BEGINNING, LATEST, FilePlace, MemoryPlace, Place
from earnest_client.webhooks import NotVerified, Webhook, verify
