"""Where the files of an archive lie: a folder, or an object store that `pyarrow` reaches by a URL.

An object is there whole or not at all: whoever is killed while sending leaves parts that nobody sees. Credentials come from
the store's own variables (`AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, …) or from the machine's role, never by the URL: a
command's words can be read by everybody on the machine, and stand in its history. `pyarrow` comes with `earnest[archive]`.
"""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import SplitResult, parse_qsl, urlsplit

CONNECT_SECONDS: Final = 5.0

SILENCE_SECONDS: Final = 10.0
"""How long a store may send nothing: deliveries are locked while they are on their way there."""

ATTEMPTS_MAX: Final = 3

_SECRETS: Final = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")


class Unusable(Exception):
    """The archive doesn't give back what was written, or is none; the message is one line for whoever runs it."""


class Unreachable(Exception):
    """The archive doesn't answer, or refuses whoever asks: nothing can be told of any of its files."""


class Place(Protocol):
    """Keeps bytes by name. Its methods block."""

    @property
    def shown(self) -> str:
        """How it is called in messages, which have nothing of what nobody may read."""

    def put(self, name: str, data: bytes) -> None:
        """Keep these bytes under this name, all of them or nothing. Refuses with `Unreachable` if that can't be done."""

    def get(self, name: str) -> bytes:
        """The bytes of that name. Refuses with `Unusable` if they are missing."""

    def must_answer(self) -> None:
        """Refuses with `Unreachable` if nothing can be told of what lies there."""

    def is_empty(self) -> bool:
        """Whether nothing lies there. Refuses with `Unreachable` if that can't be told."""


def place_at(url: str) -> Place:
    """The folder or the object store of that address. Refuses with `Unusable` what is neither."""
    if not url.strip():  # a variable that isn't set; as a path it would mean wherever the command was begun
        raise Unusable("no archive is named: it must be a folder, or an object store's URL")
    return ObjectStore(url) if "://" in url else Folder(Path(url))


class Folder:
    """A folder, which is made with the first file."""

    def __init__(self, path: Path) -> None:
        self._path: Final = path
        self.shown: Final = str(path)

    def put(self, name: str, data: bytes) -> None:
        place = self._path / name
        draft = place.with_suffix(f".{secrets.token_hex(4)}.part")
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            with draft.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(place)
            _sync_folder(place.parent)  # the name is as safe as the bytes
        except OSError as error:
            with suppress(OSError):
                draft.unlink(missing_ok=True)
            raise Unreachable(f"{name} can't be written to {self._path}: {error.strerror or error}") from None

    def get(self, name: str) -> bytes:
        try:
            return (self._path / name).read_bytes()
        except OSError as error:
            raise Unusable(f"{name} can't be read: {error.strerror or error}") from None

    def must_answer(self) -> None:
        """A folder that isn't there yet is empty."""

    def is_empty(self) -> bool:
        try:
            return not any(self._path.iterdir())
        except FileNotFoundError:
            return True
        except OSError as error:
            raise Unreachable(f"{self._path} can't be listed: {error.strerror or error}") from None


def _sync_folder(path: Path) -> None:
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


class ObjectStore:
    """A bucket, or a part of one: `s3://bucket/path?region=eu-central-1&endpoint_override=https://minio.example.com`."""

    def __init__(self, url: str) -> None:
        from pyarrow import fs

        parts = urlsplit(url)
        self.shown: Final = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
        if "@" in parts.netloc:
            raise Unusable(
                f"{self.shown} was named with credentials, which others can read there: "
                "give them as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            )
        self._has_folders = parts.scheme != "s3"
        try:
            found, path = fs.FileSystem.from_uri(url) if self._has_folders else _s3(parts)
        except (OSError, ValueError) as error:
            raise Unusable(f"{self.shown} is no archive: {_without_secrets(error)}") from None
        self._files: Any = fs.SubTreeFileSystem(path, found)

    def put(self, name: str, data: bytes) -> None:
        try:
            if self._has_folders:
                self._files.create_dir(name.rpartition("/")[0], recursive=True)
            with self._files.open_output_stream(name) as stream:
                stream.write(data)
        except OSError as error:
            raise Unreachable(f"{name} can't be written to {self.shown}: {_without_secrets(error)}") from None

    def get(self, name: str) -> bytes:
        try:
            with self._files.open_input_stream(name) as stream:
                data: bytes = stream.read()
        except FileNotFoundError:
            raise Unusable(f"{name} is not in {self.shown}") from None
        except OSError as error:
            self.must_answer()  # else every other file would be waited for in vain, too
            raise Unusable(f"{name} can't be read: {_without_secrets(error)}") from None
        return data

    def must_answer(self) -> None:
        self.is_empty()

    def is_empty(self) -> bool:
        from pyarrow import fs

        try:
            return not self._files.get_file_info(fs.FileSelector("", allow_not_found=True))
        except OSError as error:
            raise Unreachable(f"{self.shown} can't be listed: {_without_secrets(error)}") from None


def _s3(parts: SplitResult) -> tuple[Any, str]:
    """The bucket's file system, and the path in it. Refuses with `ValueError`."""
    from pyarrow import fs

    words = dict(parse_qsl(parts.query, keep_blank_values=True))
    if unknown := words.keys() - {"region", "endpoint_override", "scheme"}:
        raise ValueError(f"there is no {', '.join(sorted(unknown))}, only region, endpoint_override and scheme")
    region = words.get("region") or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    endpoint = (
        words.get("endpoint_override") or os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    )
    if region is None and endpoint is None:
        raise ValueError("its region is missing: ?region=eu-central-1, or AWS_REGION")
    found = fs.S3FileSystem(
        region=region or "us-east-1",  # who stands in for S3 elsewhere is asked so, and doesn't mind
        endpoint_override=endpoint,
        scheme=words.get("scheme"),
        connect_timeout=CONNECT_SECONDS,
        request_timeout=SILENCE_SECONDS,
        retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=ATTEMPTS_MAX),
    )
    return found, f"{parts.netloc}{parts.path}"


def _without_secrets(error: Exception) -> str:
    """What a library says, in one line, and nothing of what nobody may read."""
    said = " ".join(str(error).split())
    for name in _SECRETS:
        if secret := os.environ.get(name):
            said = said.replace(secret, "…")
    return said
