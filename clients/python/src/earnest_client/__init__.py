"""The client of Earnest, milestone escrow as a service: `Earnest` first; the rest stands beside it."""

from earnest_client.api import *  # noqa: F403 - the operations' inputs, answers and enums, made from the schema
from earnest_client.chains import (
    Head as Head,
)
from earnest_client.chains import (
    Link as Link,
)
from earnest_client.chains import (
    Report as Report,
)
from earnest_client.chains import (
    check_chains as check_chains,
)
from earnest_client.chains import (
    link_of_event as link_of_event,
)
from earnest_client.chains import (
    link_of_webhook as link_of_webhook,
)
from earnest_client.chains import (
    still_so as still_so,
)
from earnest_client.client import (
    BeyondTheLog as BeyondTheLog,
)
from earnest_client.client import (
    Earnest as Earnest,
)
from earnest_client.errors import (
    ConflictOfInterest as ConflictOfInterest,
)
from earnest_client.errors import (
    EarnestError as EarnestError,
)
from earnest_client.errors import (
    Forbidden as Forbidden,
)
from earnest_client.errors import (
    IdempotencyKeyReused as IdempotencyKeyReused,
)
from earnest_client.errors import (
    InsufficientFunds as InsufficientFunds,
)
from earnest_client.errors import (
    InvalidInput as InvalidInput,
)
from earnest_client.errors import (
    InvalidState as InvalidState,
)
from earnest_client.errors import (
    MilestoneLocked as MilestoneLocked,
)
from earnest_client.errors import (
    NextNotFunded as NextNotFunded,
)
from earnest_client.errors import (
    NotFound as NotFound,
)
from earnest_client.errors import (
    OperationFailed as OperationFailed,
)
from earnest_client.errors import (
    OutOfSequence as OutOfSequence,
)
from earnest_client.errors import (
    RateLimited as RateLimited,
)
from earnest_client.errors import (
    Refused as Refused,
)
from earnest_client.errors import (
    SameParty as SameParty,
)
from earnest_client.errors import (
    StaleChangeRequest as StaleChangeRequest,
)
from earnest_client.errors import (
    Unauthenticated as Unauthenticated,
)
from earnest_client.errors import (
    Unreachable as Unreachable,
)
from earnest_client.errors import (
    UnsafeToRepeat as UnsafeToRepeat,
)
from earnest_client.errors import (
    UserError as UserError,
)
from earnest_client.errors import (
    VersionConflict as VersionConflict,
)
from earnest_client.keys import (
    FileKeys as FileKeys,
)
from earnest_client.keys import (
    Keys as Keys,
)
from earnest_client.keys import (
    KeyStore as KeyStore,
)
from earnest_client.keys import (
    MemoryKeys as MemoryKeys,
)
from earnest_client.keys import (
    new_key as new_key,
)
from earnest_client.lists import (
    every as every,
)
from earnest_client.lists import (
    pages as pages,
)
from earnest_client.mirror import (
    Mirror as Mirror,
)
from earnest_client.mirror_stores import (
    MemoryMirror as MemoryMirror,
)
from earnest_client.mirror_stores import (
    MirrorStore as MirrorStore,
)
from earnest_client.mirror_stores import (
    MirrorUpdate as MirrorUpdate,
)
from earnest_client.mirror_stores import (
    SQLiteMirror as SQLiteMirror,
)
from earnest_client.places import (
    BEGINNING as BEGINNING,
)
from earnest_client.places import (
    LATEST as LATEST,
)
from earnest_client.places import (
    FilePlace as FilePlace,
)
from earnest_client.places import (
    MemoryPlace as MemoryPlace,
)
from earnest_client.places import (
    Place as Place,
)
from earnest_client.transport import (
    StreamEnded as StreamEnded,
)
from earnest_client.webhooks import (
    LogCut as LogCut,
)
from earnest_client.webhooks import (
    NotVerified as NotVerified,
)
from earnest_client.webhooks import (
    Webhook as Webhook,
)
from earnest_client.webhooks import (
    verify as verify,
)
