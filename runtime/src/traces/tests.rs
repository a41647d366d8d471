use std::time::Duration;

use cpe_ports::{ErrorKind, SystemClock};
use cpe_swf::{ActivityId, ActivityType, EventId};
use opentelemetry::Context;
use opentelemetry_sdk::{
    error::OTelSdkResult,
    trace::{Sampler, Span, SpanData},
};

use super::*;

/// Keeps spans.
#[derive(Debug, Clone, Default)]
struct Kept(Arc<Mutex<Vec<SpanData>>>);

impl SpanProcessor for Kept {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        self.0.lock().unwrap().push(span);
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}

fn traces(sampler: Sampler) -> (Traces, Kept) {
    let kept = Kept::default();
    let traces = Traces::new(Box::new(kept.clone()), Box::new(sampler), Arc::new(SystemClock));
    (traces, kept)
}

fn task(job: &str) -> ActivityTask {
    ActivityTask {
        task_token: format!("token of {job}").into(),
        activity_id: ActivityId("Step#2".to_owned()),
        started_event_id: EventId(6),
        workflow_execution: WorkflowExecution {
            workflow_id: format!("acme.{job}").as_str().into(),
            run_id: "r".into(),
        },
        activity_type: ActivityType { name: "Act".to_owned(), version: "v1".to_owned() },
        input: None,
    }
}

fn run(traces: &Traces, job: &str, answer: Result<(), Error>) {
    let task = task(job);
    traces.activity_came(&task);
    if let Some(ending) = traces.ending(&task.task_token, "completed", None, None) {
        traces.answered(ending, &answer);
    }
}

#[test]
fn all_processes_take_the_same_share_of_jobs() {
    let [(one, of_one), (other, of_other)] =
        [(); 2].map(|()| traces(Sampler::TraceIdRatioBased(0.5)));
    for n in 0..200 {
        run(&one, &n.to_string(), Ok(()));
        run(&other, &n.to_string(), Ok(()));
    }
    let ids = |kept: &Kept| -> Vec<_> {
        kept.0.lock().unwrap().iter().map(|span| span.span_context.trace_id()).collect()
    };
    assert_eq!(ids(&of_one), ids(&of_other));
    assert!((60..140).contains(&ids(&of_one).len()), "{}", ids(&of_one).len());
}

#[test]
fn a_span_ends_with_the_answer_that_arrives() {
    let (traces, kept) = traces(Sampler::AlwaysOn);
    let count = || kept.0.lock().unwrap().len();
    let failed = |kind| Err(Error::new(kind, "as asked"));
    run(&traces, "j", failed(ErrorKind::Unavailable));
    assert_eq!(count(), 0, "it is answered again");
    let token = task("j").task_token;
    let again = traces.ending(&token, "completed", None, None).unwrap();
    traces.answered(again, &Ok(()));
    assert_eq!(count(), 1);
    assert!(traces.ending(&token, "completed", None, None).is_none(), "it has ended");
    // Somebody else won.
    run(&traces, "k", failed(ErrorKind::NotFound));
    traces.activity_came(&task("l"));
    traces.lost(&task("l").task_token, &Error::new(ErrorKind::NotFound, "gone"));
    let spans = kept.0.lock().unwrap();
    assert_eq!(spans.len(), 3);
    assert_eq!(spans[0].status, Status::Unset);
    assert!(spans[1..].iter().all(|span| matches!(span.status, Status::Error { .. })));
    let attempt = spans[0].attributes.iter().find(|a| a.key.as_str() == "cpe.activity.attempt");
    assert_eq!(attempt.unwrap().value.to_string(), "2");
}

#[test]
fn what_is_asked_of_a_job_belongs_to_its_run_or_to_its_root() {
    let (traces, kept) = traces(Sampler::AlwaysOn);
    let (job, run): (WorkflowId, RunId) = ("acme.j".into(), "r".into());
    for (run, name) in [(Some(&run), "signal go"), (None, "cancel")] {
        let open = traces.asking(&job, run, name.to_owned()).unwrap();
        traces.ended(open, &Ok::<_, Error>(()));
    }
    assert!(traces.asking(&"nobody's".into(), None, "cancel".to_owned()).is_none());
    let spans = kept.0.lock().unwrap();
    let parents: Vec<_> = spans.iter().map(|span| (&*span.name, span.parent_span_id)).collect();
    let root = Trace::of(&job).unwrap().root;
    assert_eq!(parents, [("signal go", ids::of_run(&run)), ("cancel", root)]);
}
