# SPDX-License-Identifier: Apache-2.0
"""A client of CPE: commands out over one SQS queue, answers and events in over another.

    with Client("clienta-in", "clienta-out", name="ClientA") as cpe:
        job = cpe.start("Transcode@1.0", {"input_asset": {}, "output_assets": []})
        for event in cpe.watch(job.job_id):
            print(event.seq, event.type)

The output queue is this client's alone: whoever receives a message has it, so two of them on one
queue would take each other's events. Within one process, any number of threads may share a client.
It has no thread of its own: whoever waits receives for all who wait.

Queues deliver more than once and out of order. What a `watch` gives comes once, and in the order of
`seq`; the progress of an activity comes when it is told, in the order of its count. An event is
deleted from the queue when the loop asks for the next one, so what a process was at when it died is
delivered to the next process. What nobody watches is deleted at once, and kept in memory for a
`watch` to come, up to `MAX_KEPT` events.
"""

from __future__ import annotations

import hashlib
import heapq
import json
import logging
import threading
import time
import uuid
from collections import OrderedDict
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

import boto3

__all__ = [
    "Activity", "ActivityInfo", "Client", "Closed", "CpeError", "Event", "JobCanceled", "JobExists",
    "JobFailed", "JobInfo", "NoAnswer", "PayloadLost", "Rejected", "Workflow",
]

log = logging.getLogger("cpe_client")

TERMINAL = frozenset({"JOB_COMPLETED", "JOB_FAILED", "JOB_CANCELED"})
MAX_KEPT = 10_000
"""Events in memory that nobody watches; the oldest go first."""
MAX_KNOWN = 100_000
"""Ids by which duplicates, and stragglers of jobs that have ended, are known."""
MAX_PAYLOAD = 256 << 20
"""Bytes of a text that an event refers to."""
LONG_POLL = 20
"""Seconds; SQS takes no more."""


class CpeError(Exception):
    """What every error here is."""


class Rejected(CpeError):
    """A command had no effect; `reason` is stable, such as `cpe.job.unknown`."""

    def __init__(self, body: Mapping[str, Any]) -> None:
        data = _object(body.get("data"))
        self.job_id: Optional[str] = body.get("jobId")
        self.command: Optional[str] = data.get("command")
        self.reason: str = str(data.get("reason"))
        self.errors: List[Dict[str, str]] = list(data.get("errors") or [])
        self.quota: Optional[Dict[str, Any]] = data.get("quota")
        told = "; ".join(f"{e.get('path', '')} {e.get('message', '')}".strip() for e in self.errors)
        super().__init__(f"{self.command} {self.job_id}: {self.reason}: {told}")


class JobExists(CpeError):
    """There is a job of that jobId already; `job` is it."""

    def __init__(self, job: JobInfo) -> None:
        super().__init__(f"there is a job {job.job_id} already: {job.status}")
        self.job = job


class JobFailed(CpeError):
    """The job has failed; `reason` is stable, `details` is for people."""

    def __init__(self, job_id: str, result: Any) -> None:
        told = _object(result)
        self.job_id = job_id
        self.reason = str(told.get("reason", ""))
        self.details: Any = told.get("details")
        super().__init__(f"{job_id}: {self.reason}: {self.details}")


class JobCanceled(CpeError):
    """The job was canceled."""

    def __init__(self, job_id: str) -> None:
        super().__init__(f"{job_id} was canceled")
        self.job_id = job_id


class NoAnswer(CpeError, TimeoutError):
    """Nothing was heard in time. A command that was sent may take effect later."""


class PayloadLost(CpeError):
    """A text that stands in S3 is not there, or is another one."""


class Closed(CpeError):
    """The client was closed."""


@dataclass(frozen=True)
class Workflow:
    """The execution behind a job."""

    workflow_id: str
    run_id: str

    @classmethod
    def of(cls, body: Any) -> Optional[Workflow]:
        if not isinstance(body, dict):
            return None
        return cls(str(body.get("workflowId")), str(body.get("runId")))


@dataclass(frozen=True)
class Activity:
    """The activity that an event tells of."""

    activity_id: str
    name: str
    version: str
    progress: Any
    progress_count: int
    metering: Optional[Dict[str, Any]]
    """What the run took, once it has ended: `runMs`, `cpuMs`, `peakMemory` in bytes, and more."""
    _body: Dict[str, Any] = field(repr=False, compare=False)
    _follow: Callable[[Any], Any] = field(repr=False, compare=False)

    @cached_property
    def input(self) -> Any:
        return self._follow(self._body.get("input"))

    @cached_property
    def result(self) -> Any:
        """Of a failure, `{"reason", "details"}`."""
        return self._follow(self._body.get("result"))


@dataclass(frozen=True)
class Event:
    """Something that happened to a job."""

    type: str
    time: float
    """Seconds since 1970."""
    job_id: Optional[str]
    seq: int
    event_id: str
    workflow: Optional[Workflow]
    activity: Optional[Activity]
    late: bool
    """Whether it was so long on its way that what follows it was given before."""
    body: Dict[str, Any] = field(repr=False, compare=False)
    """The message as it came, for whatever has no field here."""
    _follow: Callable[[Any], Any] = field(repr=False, compare=False)

    @property
    def is_terminal(self) -> bool:
        return self.type in TERMINAL

    @cached_property
    def result(self) -> Any:
        """How the job ended. Fetched from S3 at the first look, where no message had room for it.

        Raises `PayloadLost` if it is not there.
        """
        return self._follow(_object(self.body.get("data")).get("result"))


@dataclass(frozen=True)
class JobInfo:
    """A job, as an answer tells it."""

    job_id: str
    workflow: Optional[Workflow]
    plan: str
    version: str
    status: str
    """RUNNING, COMPLETED, FAILED, CANCELED, TIMED_OUT or TERMINATED."""
    start_time: float
    close_time: Optional[float]
    cancel_requested: bool
    result: Any = None
    """Of a job that has ended, where `status` was asked."""

    @classmethod
    def of(cls, body: Mapping[str, Any], result: Any = None) -> JobInfo:
        kind = _object(body.get("workflowType"))
        return cls(
            job_id=str(body.get("jobId")),
            workflow=Workflow.of(body.get("workflow")),
            plan=str(kind.get("name")),
            version=str(kind.get("version")),
            status=str(body.get("status")),
            start_time=float(body.get("startTime") or 0),
            close_time=body.get("closeTime"),
            cancel_requested=bool(body.get("cancelRequested")),
            result=result,
        )


@dataclass(frozen=True)
class ActivityInfo:
    """One attempt at a step, as an answer tells it."""

    activity_id: str
    name: str
    version: str
    step: str
    attempt: int
    status: str
    """SCHEDULED, RUNNING, COMPLETED, FAILED, TIMED_OUT or CANCELED."""
    scheduled_time: float
    start_time: Optional[float]
    close_time: Optional[float]
    cancel_requested: bool
    reason: Optional[str]
    result: Any = None

    @classmethod
    def of(cls, body: Mapping[str, Any], result: Any = None) -> ActivityInfo:
        kind = _object(body.get("activityType"))
        return cls(
            activity_id=str(body.get("activityId")),
            name=str(kind.get("name")),
            version=str(kind.get("version")),
            step=str(body.get("step")),
            attempt=int(body.get("attempt") or 1),
            status=str(body.get("status")),
            scheduled_time=float(body.get("scheduledTime") or 0),
            start_time=body.get("startTime"),
            close_time=body.get("closeTime"),
            cancel_requested=bool(body.get("cancelRequested")),
            reason=body.get("reason"),
            result=result,
        )


@dataclass
class _Held:
    """An event that waits to be given, and the messages that it came in, unless they are gone."""

    event_id: str
    body: Dict[str, Any]
    due: float
    receipts: Optional[List[str]]


class _Inbox:
    """The events of one job, the lowest `seq` first."""

    def __init__(self) -> None:
        self.heap: List[Tuple[int, int, int, _Held]] = []
        self._given = -1
        self._counts: Dict[int, int] = {}
        self._arrivals = 0

    def put(self, held: _Held) -> None:
        activity = _object(_object(held.body.get("data")).get("activity"))
        self._arrivals += 1
        place = (_number(held.body, "seq"), _number(activity, "progressCount"), self._arrivals)
        heapq.heappush(self.heap, (*place, held))

    def get(self) -> Tuple[_Held, bool]:
        """The event whose turn it is, and whether it is late."""
        seq, count, _, held = heapq.heappop(self.heap)
        if count:
            # It has the number of its activity's start, and others go on meanwhile.
            before = self._counts.get(seq, 0)
            self._counts[seq] = max(before, count)
            return held, count < before
        before, self._given = self._given, max(self._given, seq)
        return held, seq < before


class _Recent:
    """The newest of many names."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._names: OrderedDict[str, None] = OrderedDict()

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def add(self, name: str) -> None:
        self._names[name] = None
        self._names.move_to_end(name)
        if len(self._names) > self._limit:
            self._names.popitem(last=False)

    def discard(self, name: str) -> None:
        self._names.pop(name, None)


class Client:
    """Two queues, by name or URL, and who is behind them.

    `name` is the client's name in `cpe.yaml`; commands that say another one are refused, and
    commands that say none are not. `timeout` is how many seconds an answer is waited for. `settle`
    is how many seconds an event is kept for one of a lower `seq` to come first; a FIFO queue keeps
    the order itself. `sqs` and `s3` are clients of boto3, made here where absent, from boto3's own
    configuration and `endpoint_url`.
    """

    def __init__(
        self,
        input_queue: str,
        output_queue: str,
        *,
        name: Optional[str] = None,
        timeout: float = 60.0,
        settle: float = 0.5,
        endpoint_url: Optional[str] = None,
        sqs: Any = None,
        s3: Any = None,
    ) -> None:
        self.name = name
        self.timeout = timeout
        self._endpoint_url = endpoint_url
        self._own: List[Any] = []
        self._sqs = sqs if sqs is not None else self._make("sqs")
        self._s3 = s3
        self._input = self._url(input_queue)
        self._output = self._url(output_queue)
        self._settle = 0.0 if self._output.endswith(".fifo") else settle
        self._changed = threading.Condition()
        self._receiving = False
        self._closed = False
        self._inboxes: OrderedDict[str, _Inbox] = OrderedDict()
        self._watchers: Dict[Optional[str], int] = {}
        self._held: Dict[str, _Held] = {}
        self._known = _Recent(MAX_KNOWN)
        self._ended = _Recent(MAX_KNOWN)
        self._answers: Dict[str, List[Dict[str, Any]]] = {}

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends all that wait with `Closed`. What was not handled yet stays in the queue."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for client in self._own:
            client.close()

    # Commands

    def start(
        self,
        plan: str,
        data: Optional[Mapping[str, Any]] = None,
        *,
        job_id: Optional[str] = None,
        execution_timeout: Optional[int] = None,
        timeout: Optional[float] = None,
    ) -> JobInfo:
        """Starts a job of a plan, `Name@version`, with `data` as its input.

        Returns once CPE has it. A job for which the client has no room waits in the queue, and so
        does this call. Raises `JobExists` if the jobId is taken, `Rejected`, or `NoAnswer`.
        """
        name, _, version = plan.rpartition("@")
        if not name or not version:
            raise ValueError(f"`{plan}` names no plan: expected Name@version")
        job_id = uuid.uuid4().hex if job_id is None else job_id
        workflow: Dict[str, Any] = {"name": name, "version": version}
        if execution_timeout is not None:
            workflow["executionStartToCloseTimeout"] = execution_timeout
        answer = self._ask("START_JOB", job_id, {**(data or {}), "workflow": workflow}, timeout)
        if answer["type"] == "JOB_STATUS":
            raise JobExists(self._job(answer))
        scheduled = {"workflow": answer, "status": "RUNNING", "startTime": answer.get("time")}
        return JobInfo.of({**answer, **scheduled})

    def cancel(self, job_id: str) -> None:
        """Asks a job to end. What becomes of it is told as an event."""
        self._ask("CANCEL_JOB", job_id, None)

    def cancel_activity(self, job_id: str, activity: str) -> str:
        """Asks one activity to end, `Step`, `Step[3]` or `Step#2`, while its job goes on.

        Returns which attempt was asked. What becomes of it is told as an event.
        """
        answer = self._ask("CANCEL_ACTIVITY", job_id, {"activityId": activity})
        told = _object(_object(answer.get("data")).get("activity"))
        return str(told.get("activityId"))

    def signal(self, job_id: str, signal: str, input: Any = None) -> None:
        """Sends the signal that a step of the plan waits for; `input` becomes its output."""
        self._ask("SIGNAL_JOB", job_id, {"signal": signal, "input": input})

    def status(self, job_id: str) -> JobInfo:
        """How a job stands, with its result if it has ended."""
        return self._job(self._ask("GET_JOB_STATUS", job_id, None))

    def activity_status(self, job_id: str, activity: str) -> ActivityInfo:
        """How an activity stands, with its result if it has completed."""
        answer = self._ask("GET_ACTIVITY_STATUS", job_id, {"activityId": activity})
        told = _object(_object(answer.get("data")).get("activity"))
        return ActivityInfo.of(told, self._follow(told.get("result")))

    def list(
        self,
        *,
        status: Optional[str] = None,
        plan: Optional[str] = None,
        since: Optional[float] = None,
        limit: Optional[int] = None,
    ) -> Iterator[JobInfo]:
        """The client's jobs: those that run, then those that ended since `since`, newest first.

        Reads page after page, of `limit` jobs each, as far as it is iterated.
        """
        asked = {"status": status, "plan": plan, "since": since, "limit": limit}
        for data in self._pages("GET_JOB_LIST", None, asked):
            yield from map(JobInfo.of, data.get("jobs") or ())

    def activities(self, job_id: str, *, limit: Optional[int] = None) -> Iterator[ActivityInfo]:
        """The activities of a job's present run, in the order in which they were scheduled."""
        for data in self._pages("GET_ACTIVITY_LIST", job_id, {"limit": limit}):
            yield from map(ActivityInfo.of, data.get("activities") or ())

    # Events

    def watch(
        self, job_id: Optional[str] = None, *, timeout: Optional[float] = None
    ) -> Iterator[Event]:
        """The events of one job up to its end; of all jobs that are not watched, if none is named.

        Gives nothing of a job whose end was given already. Raises `NoAnswer` when nothing was heard
        for `timeout` seconds.
        """
        with self._changed:
            self._watchers[job_id] = self._watchers.get(job_id, 0) + 1
        try:
            while True:
                given = self._next(job_id, timeout)
                if given is None:
                    return
                held, event = given
                yield event
                self._handled(held)
        finally:
            with self._changed:
                self._watchers[job_id] -= 1
                if not self._watchers[job_id]:
                    del self._watchers[job_id]

    def wait(self, job_id: str, *, timeout: Optional[float] = None) -> Any:
        """Watches a job to its end. Its result, or raises `JobFailed` or `JobCanceled`.

        Raises `NoAnswer` when nothing was heard for `timeout` seconds. `status` tells how a job
        ended whose end was given already.
        """
        last: Optional[Event] = None
        for last in self.watch(job_id, timeout=timeout):
            pass
        if last is None:
            raise NoAnswer(f"the end of {job_id} was given already: ask for its status")
        if last.type == "JOB_FAILED":
            raise JobFailed(job_id, last.result)
        if last.type == "JOB_CANCELED":
            raise JobCanceled(job_id)
        return last.result

    # How answers come

    def _ask(
        self, command: str, job_id: Optional[str], data: Optional[Mapping[str, Any]],
        timeout: Optional[float] = None,
    ) -> Dict[str, Any]:
        """Sends a command and waits for its answer."""
        request = uuid.uuid4().hex
        message: Dict[str, Any] = {"time": time.time(), "type": command, "requestId": request}
        if job_id is not None:
            message["jobId"] = job_id
        if data is not None or self.name is not None:
            message["data"] = dict(data or {})
            if self.name is not None:
                message["data"]["client"] = {"name": self.name}
        with self._changed:
            self._open()
            self._answers[request] = []
        try:
            self._send(message)
            return self._answer(command, request, self.timeout if timeout is None else timeout)
        finally:
            with self._changed:
                del self._answers[request]

    def _answer(self, command: str, request: str, timeout: float) -> Dict[str, Any]:
        until = time.monotonic() + timeout
        while True:
            with self._changed:
                answers = self._answers[request]
                answer = answers.pop(0) if answers else None
            if answer is not None and answer["type"] == "COMMAND_REJECTED":
                raise Rejected(answer)
            # A job that waits for room is answered once more when it has it.
            if answer is not None and answer["type"] != "JOB_DELAYED":
                return answer
            if answer is None:
                left = until - time.monotonic()
                if left <= 0:
                    raise NoAnswer(f"{command} was not answered within {timeout:g} seconds")
                self._turn(left)

    def _pages(
        self, command: str, job_id: Optional[str], asked: Mapping[str, Any]
    ) -> Iterator[Dict[str, Any]]:
        data = {name: value for name, value in asked.items() if value is not None}
        while True:
            page = _object(self._ask(command, job_id, data).get("data"))
            yield page
            token = page.get("nextPageToken")
            if not token:
                return
            data["pageToken"] = token

    def _job(self, answer: Mapping[str, Any]) -> JobInfo:
        data = _object(answer.get("data"))
        return JobInfo.of(_object(data.get("job")), self._follow(data.get("result")))

    # How events come

    def _next(
        self, job_id: Optional[str], timeout: Optional[float]
    ) -> Optional[Tuple[_Held, Event]]:
        until = None if timeout is None else time.monotonic() + timeout
        while True:
            with self._changed:
                self._open()
                now = time.monotonic()
                soonest = now + LONG_POLL
                for inbox in self._watched(job_id):
                    due = min((held.due for *_, held in inbox.heap), default=soonest)
                    if due <= now:
                        return self._give(inbox)
                    soonest = min(soonest, due)
                if job_id in self._ended and job_id not in self._inboxes:
                    return None
            if until is not None and until <= now:
                raise NoAnswer(f"nothing was heard of {job_id or 'any job'} in {timeout:g} seconds")
            self._turn(min(soonest, until or soonest) - now)

    def _watched(self, job_id: Optional[str]) -> List[_Inbox]:
        if job_id is not None:
            return [self._inboxes[job_id]] if job_id in self._inboxes else []
        return [inbox for name, inbox in self._inboxes.items() if name not in self._watchers]

    def _give(self, inbox: _Inbox) -> Tuple[_Held, Event]:
        held, late = inbox.get()
        event = self._event(held.body, late)
        if event.is_terminal and event.job_id is not None:
            self._ended.add(event.job_id)
        return held, event

    def _handled(self, held: _Held) -> None:
        done = [held]
        with self._changed:
            job_id = held.body["jobId"]
            if job_id in self._ended and job_id in self._inboxes:
                # Whatever comes after the end tells nothing new.
                done.extend(late for *_, late in self._inboxes.pop(job_id).heap)
            for each in done:
                self._held.pop(each.event_id, None)
            self._changed.notify_all()
        for each in done:
            for receipt in each.receipts or ():
                self._delete(receipt)

    def _turn(self, seconds: float) -> None:
        """Receives once, or waits for what another thread receives."""
        with self._changed:
            self._open()
            if self._receiving:
                self._changed.wait(seconds)
                return
            self._receiving = True
        # SQS counts in seconds, so what is left of one is waited for here.
        wait = min(LONG_POLL, int(seconds))
        done: List[str] = []
        messages: Sequence[Mapping[str, Any]] = ()
        try:
            messages = self._receive(wait)
        finally:
            with self._changed:
                self._receiving = False
                done.extend(filter(None, map(self._take, messages)))
                self._changed.notify_all()
        for receipt in done:
            self._delete(receipt)
        if wait == 0 and not messages:
            with self._changed:
                self._changed.wait(min(seconds, 1.0))

    def _receive(self, wait: int) -> Sequence[Mapping[str, Any]]:
        try:
            answer = self._sqs.receive_message(
                QueueUrl=self._output, MaxNumberOfMessages=10, WaitTimeSeconds=wait
            )
        except Exception:
            # Closing cuts a poll off, whatever botocore makes of that.
            if self._closed:
                raise Closed("the client was closed") from None
            raise
        self._open()
        messages: Sequence[Mapping[str, Any]] = answer.get("Messages") or ()
        return messages

    def _take(self, message: Mapping[str, Any]) -> Optional[str]:
        """Puts a message where it is waited for; its receipt, if nothing needs it any more."""
        receipt: str = message["ReceiptHandle"]
        try:
            body = json.loads(message["Body"])
            kind, event_id = str(body["type"]), str(body["eventId"])
        except (ValueError, TypeError, KeyError):
            log.warning("A message is no event and is dropped: %.200s", message.get("Body"))
            return receipt
        held = self._held.get(event_id)
        if held is not None and held.receipts is not None:
            # Told twice, or its handling takes longer than the queue waits.
            held.receipts.append(receipt)
            return None
        if event_id in self._known:
            return receipt
        self._known.add(event_id)
        answers = self._answers.get(str(body.get("requestId")))
        if answers is not None:
            answers.append(body)
        job_id = body.get("jobId")
        if kind == "WORKFLOW_SCHEDULED":
            self._ended.discard(job_id)
        # Other answers tell whoever asked, and nobody else.
        told = "requestId" not in body or kind in ("WORKFLOW_SCHEDULED", "JOB_DELAYED")
        if not told or not isinstance(job_id, str) or job_id in self._ended:
            return receipt
        watched = job_id in self._watchers or None in self._watchers
        due = time.monotonic() + self._settle
        held = _Held(event_id, body, due, [receipt] if watched else None)
        self._held[event_id] = held
        self._inboxes.setdefault(job_id, _Inbox()).put(held)
        if watched:
            return None
        self._make_room()
        return receipt

    def _make_room(self) -> None:
        while len(self._held) > MAX_KEPT:
            idle = (name for name in self._inboxes if name not in self._watchers)
            job_id = next(idle, None)
            if job_id is None:
                return
            inbox = self._inboxes[job_id]
            if not inbox.heap:
                del self._inboxes[job_id]
                continue
            *_, held = heapq.heappop(inbox.heap)
            del self._held[held.event_id]
            log.warning("Too many events that nobody watches: %s is dropped", held.event_id)

    def _event(self, body: Dict[str, Any], late: bool) -> Event:
        data = _object(body.get("data"))
        told = _object(data.get("activity"))
        activity = None
        if told:
            kind = _object(told.get("activityType"))
            activity = Activity(
                activity_id=str(told.get("activityId")),
                name=str(kind.get("name")),
                version=str(kind.get("version")),
                progress=told.get("progress"),
                progress_count=_number(told, "progressCount"),
                metering=told.get("metering"),
                _body=told,
                _follow=self._follow,
            )
        return Event(
            type=str(body["type"]),
            time=float(body.get("time") or 0),
            job_id=body.get("jobId"),
            seq=_number(body, "seq"),
            event_id=str(body["eventId"]),
            workflow=Workflow.of(data.get("workflow") or ("workflowId" in body and body)),
            activity=activity,
            late=late,
            body=body,
            _follow=self._follow,
        )

    # What stands behind it

    def _follow(self, value: Any) -> Any:
        """The value itself, or what stands in S3 if it is a reference to that."""
        if not isinstance(value, dict) or "cpe.payload" not in value or "bucket" not in value:
            return value
        digest = str(value["cpe.payload"]).partition("sha256:")[2]
        bucket, key = str(value["bucket"]), str(value.get("key"))
        place = f"s3://{bucket}/{key}"
        if not digest or not key.endswith(f"/{digest}"):
            raise PayloadLost(f"{place} is not where a text of that digest stands")
        with self._changed:
            if self._s3 is None:
                self._s3 = self._make("s3")
        try:
            body = self._s3.get_object(Bucket=bucket, Key=key)["Body"]
            text = body.read(MAX_PAYLOAD + 1)
        except Exception as error:
            raise PayloadLost(f"{place} cannot be read: {error}") from error
        if len(text) > MAX_PAYLOAD or hashlib.sha256(text).hexdigest() != digest:
            raise PayloadLost(f"{place} says something else")
        try:
            return json.loads(text)
        except ValueError:
            return text.decode("utf-8", "replace")

    def _send(self, message: Mapping[str, Any]) -> None:
        fifo = {}
        if self._input.endswith(".fifo"):
            # One job's commands stay in their order; the id of the request is never used twice.
            group = hashlib.sha256(str(message.get("jobId")).encode()).hexdigest()
            fifo = {"MessageGroupId": group, "MessageDeduplicationId": message["requestId"]}
        # As short as it can be, but for two characters that SQS does not take as they are.
        text = json.dumps(message, ensure_ascii=False)
        text = text.replace("\ufffe", "\\ufffe").replace("\uffff", "\\uffff")
        self._sqs.send_message(QueueUrl=self._input, MessageBody=text, **fifo)

    def _delete(self, receipt: str) -> None:
        try:
            self._sqs.delete_message(QueueUrl=self._output, ReceiptHandle=receipt)
        except Exception as error:
            # It comes again, and is known then.
            log.warning("A message stays in the queue: %s", error)

    def _open(self) -> None:
        if self._closed:
            raise Closed("the client was closed")

    def _url(self, queue: str) -> str:
        if "://" in queue:
            return queue
        return str(self._sqs.get_queue_url(QueueName=queue)["QueueUrl"])

    def _make(self, service: str) -> Any:
        client = boto3.client(service, endpoint_url=self._endpoint_url)
        self._own.append(client)
        return client


def _object(value: Any) -> Dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _number(body: Mapping[str, Any], name: str) -> int:
    value = body.get(name)
    return value if isinstance(value, int) else 0
