# SPDX-License-Identifier: Apache-2.0
"""Driven by `cargo xtask python-client`: CPE SCHEMAS PHOTO MODULE... with `cpe dev` at AWS_ENDPOINT_URL.

Every message that is sent or received is checked against the published schemas, by a judge between
the client and SQS.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import boto3
import jsonschema

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cpe_client import Client, Event, JobCanceled, JobExists, JobFailed, Rejected

BUCKET = "media"
PATIENCE = 180
"""Seconds without an event: modules are compiled meanwhile."""


class Judge:
    """SQS, with a look at each message that passes."""

    def __init__(self, sqs: object, schemas: Path) -> None:
        self._sqs = sqs
        self._validators = {
            (folder, path.stem): jsonschema.Draft7Validator(json.loads(path.read_text()))
            for folder in ("commands", "events")
            for path in (schemas / folder).glob("*.json")
        }
        self.seen: Counter[str] = Counter()

    def __getattr__(self, name: str) -> object:
        return getattr(self._sqs, name)

    def send_message(self, **request: str) -> object:
        self._check("commands", request["MessageBody"])
        return self._sqs.send_message(**request)

    def receive_message(self, **request: object) -> dict:
        answer = self._sqs.receive_message(**request)
        for message in answer.get("Messages", ()):
            self._check("events", message["Body"])
        return answer

    def _check(self, folder: str, text: str) -> None:
        body = json.loads(text)
        self._validators[(folder, body["type"])].validate(body)
        self.seen[f"{folder}/{body['type']}"] += 1


def main(cpe: str, schemas: str, photo: str, *modules: str) -> None:
    for module in modules:
        subprocess.run([cpe, "module", "push", module, f"{Path(module).stem}@1"], check=True)
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    s3.put_object(Bucket=BUCKET, Key="in/photo.jpg", Body=Path(photo).read_bytes())
    judge = Judge(boto3.client("sqs"), Path(schemas))
    for name, suffix in (("demo", ""), ("ordered", ".fifo")):
        with Client(f"{name}-in{suffix}", f"{name}-out{suffix}", name=name, sqs=judge) as client:
            check_demo(client, s3, f"out/{name}")
            check_signal_and_lists(client)
            check_cancel(client)
            check_refusals(client)
            check_long_result(client)
        print(f"python-client: all calls work for {name}, whose queues are {suffix or 'standard'}")
    told = sum(judge.seen.values())
    print(f"python-client: {told} messages of {len(judge.seen)} types are as the schemas have them")
    for command in (schema.stem for schema in (Path(schemas) / "commands").glob("*.json")):
        expect(f"commands/{command}" in judge.seen, True)


def check_demo(client: Client, s3: object, folder: str) -> None:
    """The demo's job, and the order in which it is told."""
    outputs = [
        {"type": "IMAGE", "bucket": BUCKET, "path": folder, "file": "web.*", "resize": "1200x800"},
        {"type": "THUMB", "bucket": BUCKET, "path": folder, "file": "thumb.png", "thumbnail": "320x320"},
    ]
    asset = {"type": "IMAGE", "bucket": BUCKET, "file": "in/photo.jpg"}
    begun = time.monotonic()
    job = client.start("Transcode@1.0", {"input_asset": asset, "output_assets": outputs})
    events = list(client.watch(job.job_id, timeout=PATIENCE))
    took = time.monotonic() - begun
    facts = [e.seq for e in events if e.type != "ACTIVITY_PROGRESS"]
    expect(facts, sorted(facts))
    expect(len({e.event_id for e in events}), len(events))
    expect([e.type for e in events if e.late], [])
    expect((events[0].type, events[1].type), ("WORKFLOW_SCHEDULED", "JOB_STARTED"))
    expect(events[-1].type, "JOB_COMPLETED")
    metered = [e.activity.metering["runMs"] > 0 for e in events if e.type == "ACTIVITY_COMPLETED"]
    expect(metered, [True] * 3)
    types = Counter(e.type for e in events)
    expect((types["ACTIVITY_STARTED"], types["ACTIVITY_COMPLETED"]), (3, 3))
    for file in ("web.jpg", "thumb.png"):
        expect(s3.head_object(Bucket=BUCKET, Key=f"{folder}/{file}")["ContentLength"] > 1000, True)
        expect(f"{folder}/{file}" in json.dumps(events[-1].result), True)
    status = client.status(job.job_id)
    expect((status.status, status.result), ("COMPLETED", events[-1].result))
    steps = list(client.activities(job.job_id, limit=1))
    expect([step.status for step in steps], ["COMPLETED"] * 3)
    expect(client.activity_status(job.job_id, steps[0].step).attempt, 1)
    print(f"python-client: the demo's job took {took:.1f} s and was told in {len(events)} events")


def check_signal_and_lists(client: Client) -> None:
    """Two jobs wait for a signal; each hears of its own."""
    data = {"bucket": BUCKET, "file": "in/photo.jpg"}
    yes, no = (client.start("Approval@1.0", data).job_id for _ in range(2))
    # Lists are a few seconds behind, says SWF.
    running = eventually(lambda: [job.job_id for job in client.list(status="RUNNING", plan="Approval", limit=1)], 2)
    expect(running, [no, yes])
    for job_id, by in ((no, "him"), (yes, "her")):
        client.signal(job_id, "approved", {"by": by, "go": False})
    expect(client.wait(yes, timeout=PATIENCE), {"approved by": "her", "words": None})
    expect(client.wait(no, timeout=PATIENCE), {"approved by": "him", "words": None})
    try:
        client.start("Approval@1.0", data, job_id=yes)
        sys.exit("a jobId starts one job")
    except JobExists as error:
        expect((error.job.job_id, error.job.status), (yes, "COMPLETED"))


def check_cancel(client: Client) -> None:
    job = client.start("Approval@1.0", {"bucket": BUCKET, "file": "in/photo.jpg"})
    client.cancel(job.job_id)
    try:
        sys.exit(f"it was canceled, and gave {client.wait(job.job_id, timeout=PATIENCE)}")
    except JobCanceled:
        pass
    expect(client.status(job.job_id).status, "CANCELED")


def check_refusals(client: Client) -> None:
    for call, reason in [
        (lambda: client.cancel("unknown"), "cpe.job.unknown"),
        (lambda: client.cancel_activity("unknown", "Step"), "cpe.job.unknown"),
        (lambda: client.signal("unknown", "approved"), "cpe.job.unknown"),
        (lambda: client.start("Nowhere@1"), "cpe.command.invalid"),
        (lambda: client.start("Approval@1.0", job_id="x" * 192), "cpe.command.invalid"),
    ]:
        try:
            call()
            sys.exit(f"it should be refused with {reason}")
        except Rejected as error:
            expect((error.reason, bool(error.errors)), (reason, True))
    output = {"type": "IMAGE", "bucket": BUCKET, "path": "out", "file": "absent.*"}
    asset = {"type": "IMAGE", "bucket": BUCKET, "file": "absent"}
    job = client.start("Transcode@1.0", {"input_asset": asset, "output_assets": [output]})
    try:
        client.wait(job.job_id, timeout=PATIENCE)
        sys.exit("there is no such photograph")
    except JobFailed as error:
        expect(error.reason, "s3.no-such-key")


def check_long_result(client: Client) -> None:
    said = "€" * 150_000
    job = client.start("Echo@1", {"said": said})
    last: Event | None = None
    for last in client.watch(job.job_id, timeout=PATIENCE):
        pass
    told = last.body["data"].get("result")
    expect((last.type, isinstance(told, dict) and sorted(told)), ("JOB_COMPLETED", ["bucket", "characters", "cpe.payload", "key"]))
    expect(last.result == said, True)
    expect(client.status(job.job_id).result == said, True)


def eventually(ask, length: int) -> list:
    """What a call answers, once it is as long."""
    for _ in range(50):
        answer = ask()
        if len(answer) >= length:
            return answer
        time.sleep(0.2)
    return answer


def expect(found: object, wanted: object) -> None:
    if found != wanted:
        raise SystemExit(f"found {found!r}, not {wanted!r}")


if __name__ == "__main__":
    main(*sys.argv[1:])
