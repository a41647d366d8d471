# SPDX-License-Identifier: Apache-2.0
"""The client alone: queues and buckets are scripted here, and nothing is sent anywhere."""

from __future__ import annotations

import hashlib
import io
import json
import sys
import threading
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import cpe_client
from cpe_client import Client, Closed, JobCanceled, JobExists, JobFailed, NoAnswer, PayloadLost, Rejected

WORKFLOW = {"workflowId": "c.j", "runId": "r"}
ACTIVITY = {"activityId": "A", "activityType": {"name": "Act", "version": "v1"}}


def event(kind, seq, event_id=None, job_id="j", **data):
    return {
        "time": 1.5, "type": kind, "jobId": job_id, "seq": seq, "eventId": event_id or f"r:{seq}",
        "data": {"workflow": WORKFLOW, **data},
    }


def answer(kind, asked, **data):
    return {
        "time": 1.5, "type": kind, "jobId": asked.get("jobId"), "seq": 0,
        "eventId": f"message:{asked['requestId']}", "requestId": asked["requestId"], "data": data,
    }


def scheduled(command):
    workflow = command["data"]["workflow"]
    return {
        "time": 1.5, "type": "WORKFLOW_SCHEDULED", "jobId": command["jobId"], "seq": 0,
        "eventId": f"{command['jobId']}:0", "requestId": command["requestId"], **WORKFLOW,
        "workflowType": {"name": workflow["name"], "version": workflow["version"]}, "input": {},
    }


def job(status="RUNNING", job_id="j"):
    return {
        "jobId": job_id, "workflow": WORKFLOW, "workflowType": {"name": "P", "version": "1"},
        "status": status, "startTime": 1.0, "cancelRequested": False,
    }


class Queues:
    """SQS for one client: what is put into it is received, and commands are answered by a script."""

    def __init__(self, reply=lambda command: []):
        self.reply = reply
        self.sent, self.extra = [], []
        self.waiting, self.deleted = [], []
        self.received = 0
        self.closed = False

    def put(self, *bodies):
        self.waiting.extend(body if isinstance(body, str) else json.dumps(body) for body in bodies)

    def get_queue_url(self, QueueName):
        return {"QueueUrl": f"https://sqs/{QueueName}"}

    def send_message(self, QueueUrl, MessageBody, **extra):
        command = json.loads(MessageBody)
        self.sent.append(command)
        self.extra.append(extra)
        self.put(*self.reply(command))

    def receive_message(self, QueueUrl, MaxNumberOfMessages, WaitTimeSeconds):
        bodies, self.waiting = self.waiting[:10], self.waiting[10:]
        messages = []
        for body in bodies:
            self.received += 1
            messages.append({"Body": body, "ReceiptHandle": f"{self.received}"})
        return {"Messages": messages} if messages else {}

    def delete_message(self, QueueUrl, ReceiptHandle):
        self.deleted.append(ReceiptHandle)

    def close(self):
        self.closed = True


class Objects:
    def __init__(self, objects):
        self.objects = objects
        self.fetched = 0

    def get_object(self, Bucket, Key):
        self.fetched += 1
        return {"Body": io.BytesIO(self.objects[(Bucket, Key)])}


def client(queues, **options):
    options = {"name": "c", "settle": 0.0, "timeout": 0.0, **options}
    return Client("in", options.pop("output", "out"), sqs=queues, **options)


class Commands(unittest.TestCase):
    def test_a_start_says_what_the_protocol_asks_for(self):
        queues = Queues(lambda command: [scheduled(command)])
        with client(queues, timeout=5) as cpe:
            started = cpe.start("P@1", {"a": 1}, job_id="j", execution_timeout=60)
        (command,) = queues.sent
        self.assertEqual(command["type"], "START_JOB")
        self.assertEqual(command["data"], {
            "a": 1, "client": {"name": "c"},
            "workflow": {"name": "P", "version": "1", "executionStartToCloseTimeout": 60},
        })
        self.assertEqual((started.job_id, started.plan, started.version), ("j", "P", "1"))
        self.assertEqual(started.workflow.run_id, "r")
        self.assertEqual(queues.extra, [{}])

    def test_a_plan_has_a_name_and_a_version(self):
        for plan in ("P", "@1", "P@"):
            with self.assertRaises(ValueError):
                client(Queues()).start(plan)

    def test_a_fifo_queue_hears_of_group_and_duplicate(self):
        queues = Queues(lambda command: [scheduled(command)])
        Client("in.fifo", "out.fifo", sqs=queues, timeout=5).start("P@1", job_id="a b")
        (extra,) = queues.extra
        self.assertEqual(len(extra["MessageGroupId"]), 64)
        self.assertEqual(extra["MessageDeduplicationId"], queues.sent[0]["requestId"])

    def test_a_start_waits_where_there_is_no_room(self):
        def reply(command):
            delayed = answer("JOB_DELAYED", command, quota={"name": "jobs-in-flight"})
            return [{**delayed, "eventId": "message:m:delayed"}, scheduled(command)]
        self.assertEqual(client(Queues(reply), timeout=5).start("P@1", job_id="j").job_id, "j")

    def test_a_job_id_that_is_taken_is_told_with_its_job(self):
        queues = Queues(lambda command: [answer("JOB_STATUS", command, job=job("COMPLETED"))])
        with self.assertRaises(JobExists) as caught:
            client(queues, timeout=5).start("P@1", job_id="j")
        self.assertEqual(caught.exception.job.status, "COMPLETED")

    def test_a_refusal_is_raised_with_its_reason(self):
        errors = [{"path": "/data", "message": "is missing"}]
        queues = Queues(lambda command: [answer(
            "COMMAND_REJECTED", command, command=command["type"], reason="cpe.job.unknown", errors=errors)])
        with self.assertRaisesRegex(Rejected, "CANCEL_JOB j: cpe.job.unknown: /data is missing") as caught:
            client(queues, timeout=5).cancel("j")
        self.assertEqual((caught.exception.reason, caught.exception.errors), ("cpe.job.unknown", errors))

    def test_no_answer_is_an_error(self):
        with self.assertRaises(NoAnswer):
            client(Queues()).status("j")

    def test_each_call_sends_its_command(self):
        def reply(command):
            kinds = {
                "CANCEL_JOB": ("JOB_CANCEL_REQUESTED", {}),
                "CANCEL_ACTIVITY": ("ACTIVITY_CANCEL_REQUESTED", {"activity": {"activityId": "A#2"}}),
                "SIGNAL_JOB": ("JOB_SIGNALED", {"signal": "s"}),
                "GET_JOB_STATUS": ("JOB_STATUS", {"job": job("COMPLETED"), "result": {"n": 3}}),
                "GET_ACTIVITY_STATUS": ("ACTIVITY_STATUS", {"activity": {
                    **ACTIVITY, "step": "A", "attempt": 2, "status": "RUNNING", "scheduledTime": 1.0,
                    "cancelRequested": False}}),
            }
            kind, data = kinds[command["type"]]
            return [answer(kind, command, **data)]
        queues = Queues(reply)
        cpe = client(queues, timeout=5)
        cpe.cancel("j")
        self.assertEqual(cpe.cancel_activity("j", "A"), "A#2")
        cpe.signal("j", "s", {"by": "me"})
        self.assertEqual(cpe.status("j").result, {"n": 3})
        self.assertEqual(cpe.activity_status("j", "A").attempt, 2)
        self.assertEqual([c["data"].get("activityId") for c in queues.sent], [None, "A", None, None, "A"])
        self.assertEqual(queues.sent[2]["data"]["input"], {"by": "me"})

    def test_lists_read_page_after_page_as_far_as_they_are_iterated(self):
        def reply(command):
            page = command["data"].get("pageToken")
            data = {"jobs": [job(job_id=page or "first")]}
            if page != "2":
                data["nextPageToken"] = "2" if page else "1"
            return [answer("JOB_LIST", command, **data)]
        queues = Queues(reply)
        cpe = client(queues, timeout=5)
        jobs = cpe.list(status="RUNNING", limit=1)
        self.assertEqual(next(jobs).job_id, "first")
        self.assertEqual(len(queues.sent), 1)
        self.assertEqual([job.job_id for job in jobs], ["1", "2"])
        self.assertNotIn("jobId", queues.sent[0])
        self.assertEqual(queues.sent[2]["data"], {
            "status": "RUNNING", "limit": 1, "pageToken": "2", "client": {"name": "c"}})

    def test_an_answer_reaches_the_thread_that_asked(self):
        queues = Queues(lambda command: [answer("JOB_STATUS", command, job=job(job_id=command["jobId"]))])
        cpe = client(queues, timeout=30)
        told = {}
        threads = [
            threading.Thread(target=lambda name=name: told.update({name: cpe.status(name).job_id}))
            for name in map(str, range(20))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(told, {name: name for name in map(str, range(20))})


class Events(unittest.TestCase):
    def seqs(self, cpe, **options):
        return [event.seq for event in cpe.watch("j", **options)]

    def test_come_once_and_in_order_up_to_the_end(self):
        queues = Queues()
        started = event("JOB_STARTED", 1)
        queues.put(event("JOB_COMPLETED", 9, result={"n": 3}), event("ACTIVITY_STARTED", 4), started, started)
        with client(queues) as cpe:
            self.assertEqual(self.seqs(cpe), [1, 4, 9])
        self.assertEqual(sorted(queues.deleted), ["1", "2", "3", "4"])

    def test_progress_is_ordered_by_its_count(self):
        queues = Queues()
        for count in (2, 1):
            activity = {**ACTIVITY, "progress": {"percent": count}, "progressCount": count}
            queues.put(event("ACTIVITY_PROGRESS", 6, f"r:6:{count}", activity=activity))
        queues.put(event("JOB_COMPLETED", 9))
        counts = [e.activity.progress_count for e in client(queues).watch("j") if e.activity]
        self.assertEqual(counts, [1, 2])

    def test_progress_waits_for_nobody_and_is_not_late(self):
        queues = Queues()
        told = [event("ACTIVITY_STARTED", 6), event("ACTIVITY_STARTED", 7)]
        for count in (2, 1):
            activity = {**ACTIVITY, "progress": {"percent": count}, "progressCount": count}
            told.append(event("ACTIVITY_PROGRESS", 6, f"r:6:{count}", activity=activity))
        watching = client(queues).watch("j")
        late = []
        for each in (*told, event("JOB_COMPLETED", 9)):
            queues.put(each)
            late.append(next(watching).late)
        self.assertEqual(late, [False, False, False, True, False])

    def test_a_straggler_comes_all_the_same_and_says_so(self):
        queues = Queues()
        queues.put(event("ACTIVITY_STARTED", 4))
        watching = client(queues).watch("j")
        self.assertFalse(next(watching).late)
        queues.put(event("JOB_STARTED", 1), event("JOB_COMPLETED", 9))
        self.assertEqual([(e.seq, e.late) for e in watching], [(1, True), (9, False)])

    def test_one_waits_for_another_of_a_lower_number(self):
        queues = Queues()
        queues.put(event("ACTIVITY_STARTED", 4))
        receive = queues.receive_message

        def later(**options):
            messages = receive(**options)
            if queues.received == 1:
                queues.put(event("JOB_STARTED", 1), event("JOB_COMPLETED", 9))
            return messages
        queues.receive_message = later
        self.assertEqual(self.seqs(client(queues, settle=0.2)), [1, 4, 9])

    def test_is_deleted_when_the_next_is_asked_for(self):
        queues = Queues()
        cpe = client(queues)
        watching = cpe.watch("j")
        queues.put(event("JOB_STARTED", 1), event("JOB_COMPLETED", 9))
        next(watching)
        self.assertEqual(queues.deleted, [])
        # The queue waited long enough and gives it once more, under another receipt.
        queues.put(event("JOB_STARTED", 1))
        cpe._turn(1)
        next(watching)
        self.assertEqual(queues.deleted, ["1", "3"])
        self.assertEqual(list(watching), [])
        self.assertEqual(queues.deleted, ["1", "3", "2"])

    def test_what_nobody_watches_is_kept_up_to_a_limit(self):
        queues = Queues(lambda command: [answer("JOB_STATUS", command, job=job())])
        queues.put(*(event("ACTIVITY_STARTED", seq, f"o:{seq}", job_id="other") for seq in range(3)))
        queues.put(event("JOB_STARTED", 1), event("JOB_COMPLETED", 9))
        cpe = client(queues, timeout=5)
        kept, cpe_client.MAX_KEPT = cpe_client.MAX_KEPT, 4
        try:
            with self.assertLogs("cpe_client"):
                cpe.status("j")
        finally:
            cpe_client.MAX_KEPT = kept
        self.assertEqual(len(queues.deleted), 6)
        self.assertEqual(self.seqs(cpe), [1, 9])
        watching = cpe.watch()
        self.assertEqual([next(watching).seq, next(watching).seq], [1, 2])

    def test_of_all_jobs_are_those_that_are_not_watched(self):
        queues = Queues()
        cpe = client(queues)
        one = cpe.watch("j", timeout=0)
        with self.assertRaises(NoAnswer):
            next(one)
        one = cpe.watch("j")
        queues.put(event("JOB_STARTED", 1), event("JOB_STARTED", 1, "k:1", job_id="k"))
        self.assertEqual(next(one).job_id, "j")
        self.assertEqual(next(cpe.watch()).job_id, "k")

    def test_after_the_end_there_is_nothing_more(self):
        queues = Queues()
        queues.put(event("JOB_COMPLETED", 9))
        cpe = client(queues)
        self.assertEqual(self.seqs(cpe), [9])
        queues.put(event("ACTIVITY_STARTED", 4))
        cpe._turn(0)
        self.assertEqual(self.seqs(cpe), [])
        with self.assertRaisesRegex(NoAnswer, "status"):
            cpe.wait("j")
        self.assertEqual(queues.deleted, ["1", "2"])

    def test_the_end_is_returned_or_raised(self):
        queues = Queues()
        cpe = client(queues)
        queues.put(event("JOB_COMPLETED", 9, result={"n": 3}))
        self.assertEqual(cpe.wait("j"), {"n": 3})
        queues.put(event("JOB_CANCELED", 9, "k:9", job_id="k"))
        with self.assertRaises(JobCanceled):
            cpe.wait("k")
        failed = {"reason": "media.undecodable", "details": {"step": "A"}}
        queues.put(event("JOB_FAILED", 9, "l:9", job_id="l", result=failed))
        with self.assertRaises(JobFailed) as caught:
            cpe.wait("l")
        self.assertEqual((caught.exception.reason, caught.exception.details), ("media.undecodable", {"step": "A"}))

    def test_what_is_no_event_is_dropped(self):
        queues = Queues()
        queues.put("no JSON", "[]", '"text"', '{"type": "X"}', event("JOB_COMPLETED", 9))
        with self.assertLogs("cpe_client", "WARNING") as logs:
            self.assertEqual(self.seqs(client(queues)), [9])
        self.assertEqual(len(logs.output), 4)
        self.assertEqual(len(queues.deleted), 5)

    def test_odd_fields_do_no_harm(self):
        queues = Queues()
        queues.put({"type": "NEW", "eventId": "n", "jobId": "j", "seq": "x", "data": [], "more": 1})
        queues.put(event("ODD", 2, activity={"progressCount": "x", "activityType": 3}))
        queues.put({**event("NOBODY", 3), "jobId": None}, {**event("NOBODY", 3, "y"), "jobId": {}})
        queues.put(event("JOB_COMPLETED", 9))
        self.assertEqual([e.type for e in client(queues).watch("j")], ["NEW", "ODD", "JOB_COMPLETED"])

    def test_nothing_heard_in_time_is_an_error(self):
        with self.assertRaises(NoAnswer):
            next(client(Queues()).watch("j", timeout=0.01))


class Payloads(unittest.TestCase):
    TEXT = json.dumps({"long": "x" * 40_000}).encode()

    def told(self, text, bucket="b"):
        digest = hashlib.sha256(text).hexdigest()
        return {"cpe.payload": f"sha256:{digest}", "characters": len(text), "bucket": bucket,
                "key": f"payloads/c/j/{digest}"}

    def result(self, told, objects):
        queues = Queues()
        queues.put(event("JOB_COMPLETED", 9, result=told))
        return client(queues, s3=objects).wait("j")

    def test_are_fetched_once_and_only_when_looked_at(self):
        told = self.told(self.TEXT)
        objects = Objects({("b", told["key"]): self.TEXT})
        queues = Queues()
        queues.put(event("ACTIVITY_COMPLETED", 4, activity={**ACTIVITY, "result": told}), event("JOB_COMPLETED", 9))
        first, _ = client(queues, s3=objects).watch("j")
        self.assertEqual(objects.fetched, 0)
        self.assertEqual(first.activity.result, json.loads(self.TEXT))
        self.assertIs(first.activity.result, first.activity.result)
        self.assertEqual(objects.fetched, 1)

    def test_may_be_no_json(self):
        told = self.told(b"plain words")
        self.assertEqual(self.result(told, Objects({("b", told["key"]): b"plain words"})), "plain words")

    def test_that_are_gone_or_changed_are_errors(self):
        told = self.told(self.TEXT)
        for objects in ({}, {("b", told["key"]): b"something else"}):
            with self.assertRaises(PayloadLost):
                self.result(told, Objects(objects))

    def test_lead_only_to_texts_of_their_digest(self):
        objects = Objects({("b", "secret"): self.TEXT})
        with self.assertRaises(PayloadLost):
            self.result({**self.told(self.TEXT), "key": "secret"}, objects)
        self.assertEqual(objects.fetched, 0)

    def test_a_result_that_only_looks_like_one_is_a_result(self):
        self.assertEqual(self.result({"cpe.payload": "x"}, Objects({})), {"cpe.payload": "x"})


class Closing(unittest.TestCase):
    def test_ends_whoever_waits(self):
        queues = Queues()
        polling, goes_on = threading.Event(), threading.Event()

        def poll(**_):
            polling.set()
            goes_on.wait(30)
            raise OSError("the connection was closed")
        queues.receive_message = poll
        cpe = client(queues)
        raised = []

        def watch():
            try:
                next(cpe.watch("j"))
            except Closed as error:
                raised.append(error)
        threads = [threading.Thread(target=watch) for _ in range(2)]
        for thread in threads:
            thread.start()
        polling.wait(30)
        cpe.close()
        goes_on.set()
        for thread in threads:
            thread.join(30)
        self.assertEqual(len(raised), 2)
        with self.assertRaises(Closed):
            cpe.status("j")

    def test_leaves_clients_that_were_given_open(self):
        queues = Queues()
        client(queues).close()
        self.assertFalse(queues.closed)

    def test_an_outage_is_told_as_it_is(self):
        queues = Queues()

        def poll(**_):
            raise OSError("no route")
        queues.receive_message = poll
        with self.assertRaisesRegex(OSError, "no route"):
            next(client(queues).watch("j"))


if __name__ == "__main__":
    unittest.main()
