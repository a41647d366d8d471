"""The activity: reads a table (CSV) from the object store and writes a summary of it (JSON)."""

from __future__ import annotations

import json
from collections.abc import Iterator

from componentize_py_types import Err
from wit_world import exports
from wit_world.exports.handler import Failure
from wit_world.imports import heartbeat, log, object_store

from summary import NotATable, Table, lines

PIECE = 256 << 10
"""Bytes that are read and written at a time."""


class Handler(exports.Handler):
    def run(self, input: str) -> str:
        try:
            return json.dumps(summarize(*asked(input)))
        except NotATable as error:
            raise Err(Failure("summarize-csv.not-a-table", str(error), False)) from error
        except Err as error:
            raise Err(failure_of(error.value)) from error


def asked(input: str) -> tuple[str, str, str]:
    try:
        told = json.loads(input)
        bucket, file, to = (told[name] for name in ("bucket", "file", "to"))
    except (ValueError, KeyError, TypeError) as error:
        raise Err(Failure("cpe.bad-input", f"bucket, file and to are needed: {error!r}", False)) from error
    if not all(isinstance(text, str) and text for text in (bucket, file, to)):
        raise Err(Failure("cpe.bad-input", "bucket, file and to are texts", False))
    return bucket, file, to


def summarize(name: str, file: str, to: str) -> dict[str, object]:
    bucket = object_store.Bucket.open(name)
    reader = bucket.get(file, None)
    size = reader.info().size
    read = 0

    def pieces() -> Iterator[bytes]:
        nonlocal read
        while piece := reader.read(PIECE):
            read += len(piece)
            beat(100 * read // max(size, 1), f"{read} of {size} bytes")
            yield piece

    table = Table(lines(pieces()))
    for _ in table.read():
        pass
    told = table.summary()

    writer = bucket.put(to, object_store.PutOptions("application/json", None, False))
    text = json.dumps({"file": file, **told}, indent=1).encode()
    for at in range(0, len(text), PIECE):
        writer.write(text[at:at + PIECE])
    writer.finish()
    fields = [("file", file), ("to", to), ("rows", str(table.rows))]
    log.write(log.Level.INFO, "summarized", fields)
    numbers = [column["name"] for column in told["columns"] if column["type"] == "number"]
    return {"rows": table.rows, "columns": len(table.columns), "numbers": numbers}


def beat(percent: int, message: str) -> None:
    progress = json.dumps({"percent": min(percent, 100), "message": message})
    if heartbeat.beat(progress) == heartbeat.Directive.CANCEL:
        raise Err(Failure("cpe.canceled", "canceled on request", False))


def failure_of(error: object) -> Failure:
    """Of the host's errors: the reasons that the Rust SDK gives them."""
    if isinstance(error, Failure):
        return error
    details = str(getattr(error, "value", error))
    match error:
        case object_store.Error_NoSuchKey():
            return Failure("s3.no-such-key", "there is no such object", False)
        case object_store.Error_NoSuchBucket():
            return Failure("s3.no-such-bucket", "there is no such bucket", False)
        case object_store.Error_AccessDenied():
            return Failure("cpe.denied.s3", details, False)
        case object_store.Error_InvalidArgument():
            return Failure("s3.invalid-argument", details, False)
        case object_store.Error_Unavailable():
            return Failure("s3.unavailable", details, True)
    return Failure("summarize-csv.failed", details, False)
