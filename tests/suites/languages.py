"""Driven by `cargo xtask languages`: CPE COMPONENT... with `cpe dev` at AWS_ENDPOINT_URL.

Pushes the components, runs the plan `sample-activities/report.yaml` over SQS and looks at every
output. Prints what a component costs.
"""

from __future__ import annotations

import csv
import io
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import boto3

from cpe_client import Activity, Client, JobFailed

BUCKET = "reports"
RECORDS = 20_000
PATIENCE = 120
"""Seconds without an event."""


def main(cpe: str, *components: str) -> None:
    print(f"{'component':16} {'wasm':>10} {'machine code':>13} {'cold compile':>13} {'push':>8}")
    for component in map(Path, components):
        push(cpe, component)
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    records = make_records()
    body = "".join(json.dumps(record) + "\n" for record in records)
    s3.put_object(Bucket=BUCKET, Key="in/events.jsonl", Body=f"no record\n{body}\n[3]\n".encode())
    with Client("cpe-input", "cpe-output", name="suite") as client:
        print(f"{'activity':16} {'instantiate':>12} {'run':>12} {'CPU':>12} {'peak memory':>12}")
        for _ in range(2):
            result = report(client)
        expect(result, {"rows": RECORDS, "skipped": 2, "numbers": ["id", "size.bytes"]})
        table = s3.get_object(Bucket=BUCKET, Key="out/table.csv")
        expect(table["ContentType"], "text/csv")
        check_table(table["Body"].read().decode(), records)
        check_summary(json.loads(s3.get_object(Bucket=BUCKET, Key="out/summary.json")["Body"].read()), records)
        check_failures(client, s3)
    check_log()
    print(f"languages: JavaScript and Python made and summarized a table of {RECORDS} rows")


def push(cpe: str, component: Path) -> None:
    begun = time.monotonic()
    name = component.stem
    pushed = subprocess.run(
        [cpe, "module", "push", component, f"{name}@1"],
        env={**os.environ, "CPE_LOG_FORMAT": "json"}, stderr=subprocess.PIPE, text=True,
        stdout=subprocess.DEVNULL,
    )
    took = time.monotonic() - begun
    if pushed.returncode:
        sys.exit(f"{name} cannot be pushed:\n{pushed.stderr}")
    lines = [json.loads(line)["fields"] for line in pushed.stderr.splitlines() if line.startswith("{")]
    compiled = next((line for line in lines if line.get("message") == "Compiled"), {})
    megabytes = [f"{int(size) / 1e6:.1f} MB" for size in (component.stat().st_size, compiled["code"])]
    print(f"{name:16} {megabytes[0]:>10} {megabytes[1]:>13} {compiled['took']:>13} {took:>6.1f} s")


def make_records() -> list[dict]:
    kinds = ["upload", "download", 'delete, "forced"']
    return [
        {"id": n, "kind": kinds[n % 3], "size": {"bytes": n * n % 1009}, "note": None if n % 2 else f"ü{n}"}
        for n in range(RECORDS)
    ]


def report(client: Client) -> object:
    """Runs the plan once; prints what each activity took."""
    job = client.start("Report@1", {"bucket": BUCKET, "file": "in/events.jsonl"})
    progress: dict[str, list] = {}
    for event in client.watch(job.job_id, timeout=PATIENCE):
        if event.type == "ACTIVITY_PROGRESS":
            progress.setdefault(event.activity.activity_id, []).append(event.activity.progress)
        elif event.type == "ACTIVITY_COMPLETED":
            print_run(event.activity)
        elif event.type == "ACTIVITY_FAILED":
            print(f"{event.activity.activity_id} failed: {event.activity.result}")
    expect(event.type, "JOB_COMPLETED")
    # The last progress of an activity is always told.
    expect({step: told[-1]["percent"] for step, told in progress.items()}, {"Convert": 100, "Summarize": 100})
    return event.result


def print_run(activity: Activity) -> None:
    took = activity.metering
    times = " ".join(f"{took[what]:>9.1f} ms" for what in ("instantiateMs", "runMs", "cpuMs"))
    print(f"{activity.name:16} {times} {took['peakMemory'] / (1 << 20):>8.1f} MiB")


def check_table(text: str, records: list[dict]) -> None:
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    expect(len(rows), len(records))
    for row, record in zip(rows, records):
        wanted = {
            "id": str(record["id"]), "kind": record["kind"], "note": record["note"] or "",
            "size.bytes": str(record["size"]["bytes"]),
        }
        expect(row, wanted)


def check_summary(told: dict, records: list[dict]) -> None:
    expect(told["rows"], len(records))
    columns = {column["name"]: column for column in told["columns"]}
    sizes = [record["size"]["bytes"] for record in records]
    found = columns["size.bytes"]
    expect((found["min"], found["max"]), (min(sizes), max(sizes)))
    for name, wanted in (("mean", statistics.fmean(sizes)), ("deviation", statistics.stdev(sizes))):
        if abs(found[name] - wanted) > 1e-6:
            sys.exit(f"{name} is {found[name]}, not {wanted}")
    expect(columns["kind"]["distinct"], 3)
    expect(columns["note"]["missing"], RECORDS // 2)


def check_failures(client: Client, s3: object) -> None:
    """What goes wrong has a reason of its own."""
    s3.put_object(Bucket=BUCKET, Key="in/picture", Body=bytes(range(256)))
    s3.put_object(Bucket=BUCKET, Key="in/nothing", Body=b"\n[1]\n")
    for file, reason in [
        ("in/absent", "s3.no-such-key"),
        ("in/picture", "lines-to-csv.not-lines"),
        ("in/nothing", "lines-to-csv.empty"),
    ]:
        job = client.start("Report@1", {"bucket": BUCKET, "file": file})
        try:
            sys.exit(f"{file} should fail, and gave {client.wait(job.job_id, timeout=PATIENCE)}")
        except JobFailed as error:
            expect(error.reason, reason)


def check_log() -> None:
    log = Path("cpe.log").read_text()
    for line in ("converted", "summarized", "lines that are no record"):
        if line not in log:
            sys.exit(f"the log does not say `{line}`: {Path('cpe.log').resolve()}")


def expect(found: object, wanted: object) -> None:
    if found != wanted:
        sys.exit(f"found {found!r}, not {wanted!r}")


if __name__ == "__main__":
    main(*sys.argv[1:])
