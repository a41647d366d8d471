"""Driven by `cargo xtask registry`, twice, with REGISTRY and REGISTRY_DATA in the environment.

    prepare PLANS ONE TWO   pushes two components and writes plans that name them
    check                   runs the plans, with `cpe dev` at AWS_ENDPOINT_URL, and moves tags
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import sys
import time
from pathlib import Path

import boto3

from cpe_client import Client, JobFailed

REGISTRY = os.environ["REGISTRY"]
REPOSITORY = "acme/counts"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.wasm.config.v0+json"
WASM = "application/wasm"
BUCKET, FILE, TEXT = "texts", "hamlet", b"to be or\nnot to be\n"
PATIENCE = 120
"""Seconds: workers look every minute where a tag points."""

PLAN = """\
name: {name}
version: "1"
activities:
- {{name: {name}, version: v1, module: "{module}", timeout: 1m, outputs_spec: {{result: $}}}}
steps:
- name: Count
  activity: {name}
  input: '{{"bucket": {{{{ __input__.bucket }}}}, "file": {{{{ __input__.file }}}}}}'
output: "{{{{ Count.result }}}}"
"""


def prepare(plans: str, one: str, two: str) -> None:
    wait_for_registry()
    first, second = Path(one).read_bytes(), Path(two).read_bytes()
    digest = push(first, "1")
    push(first, "kept")
    push(second, "next")
    # Another text of the same length stands where the blob was.
    push(b"spoilt " + first, "spoilt")
    spoil(b"spoilt " + first)
    push(b"no component", "text", media_type="text/plain")
    push(b"no component", "invalid")
    tag_manifest("two", manifest([layer(first), layer(second)]))
    modules = {
        "Tagged": f"{REPOSITORY}:1",
        "Pinned": f"{REPOSITORY}@{digest}",
        "Both": f"{REPOSITORY}:next@{digest}",
        "Kept": f"{REPOSITORY}:kept",
        "Spoilt": f"{REPOSITORY}:spoilt",
        "Text": f"{REPOSITORY}:text",
        "Invalid": f"{REPOSITORY}:invalid",
        "Two": f"{REPOSITORY}:two",
        "Gone": f"{REPOSITORY}:gone",
        "Forged": f"{REPOSITORY}@sha256:{'0' * 64}",
    }
    Path(plans).mkdir(parents=True, exist_ok=True)
    for name, module in modules.items():
        text = PLAN.format(name=name, module=f"oci://{REGISTRY}/{module}")
        Path(plans, f"{name.lower()}.yaml").write_text(text)
    print(f"registry: two components pushed, {len(modules)} plans name them")


def check() -> None:
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    s3.put_object(Bucket=BUCKET, Key=FILE, Body=TEXT)
    counted = {"words": 6, "lines": 2, "bytes": len(TEXT)}
    with Client("cpe-input", "cpe-output", name="suite") as client:
        for plan in ("Tagged", "Pinned", "Both", "Kept"):
            expect(plan, run(client, plan), counted)
        print("registry: a tag, a digest, and a tag with a digest run")
        for plan, reason in [
            ("Spoilt", "cpe.module.digest-mismatch"),
            ("Text", "cpe.module.invalid"),
            ("Invalid", "cpe.module.invalid"),
            ("Two", "cpe.module.invalid"),
            ("Gone", "cpe.module.not-found"),
            ("Forged", "cpe.module.not-found"),
        ]:
            expect(plan, fails(client, plan), reason)
        print("registry: a blob that is not its digest's, what is no component, and what is not there are refused")
        move("next", "1")
        move("spoilt", "kept")
        begun = time.monotonic()
        while (result := run(client, "Tagged")) == counted or not looked_at_kept():
            # Its tag leads to a spoilt blob by now: what ran before goes on.
            expect("Kept", run(client, "Kept"), counted)
            if time.monotonic() - begun > PATIENCE:
                sys.exit(f"tags that moved are not followed within {PATIENCE} seconds")
            time.sleep(1)
        print(f"registry: tags that moved are followed after {time.monotonic() - begun:.0f} s")
        expect("Tagged", sorted(result), ["count", "unit"])
        for plan in ("Pinned", "Both", "Kept"):
            expect(plan, run(client, plan), counted)
        print("registry: what is fixed stays, and so does what ran before its tag went to a spoilt one")


def looked_at_kept() -> bool:
    """Whether the worker has met the spoilt blob, by its log."""
    lines = Path("cpe.log").read_text().splitlines()
    return any("cannot be loaded" in line and f"{REPOSITORY}:kept" in line for line in lines)


def run(client: Client, plan: str) -> object:
    job = client.start(f"{plan}@1", {"bucket": BUCKET, "file": FILE})
    return client.wait(job.job_id, timeout=PATIENCE)


def fails(client: Client, plan: str) -> str:
    try:
        return f"no failure, but {run(client, plan)}"
    except JobFailed as error:
        return error.reason


def expect(what: str, found: object, wanted: object) -> None:
    if found != wanted:
        sys.exit(f"{what}: found {found!r}, not {wanted!r}")


# What an OCI client does, by the distribution specification.


def wait_for_registry() -> None:
    for _ in range(240):
        try:
            return expect("the registry", request("GET", "/v2/")[0], 200)
        except OSError:
            # Nothing tells when another's port opens.
            time.sleep(0.25)
    sys.exit(f"no registry answers at {REGISTRY}")


def push(component: bytes, tag: str, media_type: str = WASM) -> str:
    return tag_manifest(tag, manifest([layer(component, media_type)]))


def layer(component: bytes, media_type: str = WASM) -> dict:
    upload(component)
    return {"mediaType": media_type, "digest": digest_of(component), "size": len(component)}


def manifest(layers: list[dict]) -> bytes:
    config = json.dumps({"architecture": "wasm", "os": "wasip2"}).encode()
    told = {**layer(config), "mediaType": CONFIG}
    return json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": told, "layers": layers}).encode()


def tag_manifest(tag: str, body: bytes) -> str:
    path = f"/v2/{REPOSITORY}/manifests/{tag}"
    status, _, answer = request("PUT", path, body, {"Content-Type": MANIFEST})
    expect(f"pushing {tag}: {answer[:300]!r}", status, 201)
    return digest_of(body)


def move(source: str, target: str) -> None:
    _, _, body = request("GET", f"/v2/{REPOSITORY}/manifests/{source}", headers={"Accept": MANIFEST})
    tag_manifest(target, body)


def upload(blob: bytes) -> None:
    status, headers, _ = request("POST", f"/v2/{REPOSITORY}/blobs/uploads/", b"")
    expect("beginning an upload", status, 202)
    place = headers["Location"].partition(REGISTRY)[2] or headers["Location"]
    query = f"{'&' if '?' in place else '?'}digest={digest_of(blob)}"
    status, _, answer = request("PUT", place + query, blob, {"Content-Type": "application/octet-stream"})
    expect(f"uploading: {answer[:300]!r}", status, 201)


def spoil(blob: bytes) -> None:
    name = hashlib.sha256(blob).hexdigest()
    data = Path(os.environ["REGISTRY_DATA"], "docker/registry/v2/blobs/sha256", name[:2], name, "data")
    expect("the blob on disk", data.read_bytes() == blob, True)
    data.write_bytes(b"\0asm" + blob[4:])


def digest_of(blob: bytes) -> str:
    return f"sha256:{hashlib.sha256(blob).hexdigest()}"


def request(method: str, path: str, body: bytes | None = None, headers: dict | None = None) -> tuple:
    connection = http.client.HTTPConnection(REGISTRY, timeout=60)
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
    finally:
        connection.close()


if __name__ == "__main__":
    {"prepare": prepare, "check": check}[sys.argv[1]](*sys.argv[2:])
