//! Shadows: a candidate runs beside the stable version on the same input, to be compared with it.
//!
//! Nobody waits for it and nothing comes of it: what it writes, copies and deletes is only noted,
//! its heartbeats go nowhere, and HTTP requests are refused. It runs where there is room for it
//! and not otherwise, and no longer than a while after the version that it is compared with.

mod store;

use std::{sync::Arc, time::Duration};

use cpe_modules::{Compared, Modules, Trial};
use cpe_sandbox::{Beats, Directive, Grants, Invocation, Sandbox};
use serde_json::Value;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout},
};
use tokio_util::task::AbortOnDropHandle;

use self::store::{NotedStore, Writes};
use super::run::{NewInvocation, Ran};

/// At a time, of one worker.
pub const SHADOWS: usize = 4;
/// After the stable version has ended, a shadow may go on for three times as long as that took,
/// and for so long in any case.
const GRACE: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub(super) struct Shadows {
    modules: Modules,
    sandbox: Sandbox,
    room: Arc<Semaphore>,
}

/// A shadow that runs. Dropping it stops it.
pub(super) struct Shadow {
    trial: Trial,
    run: AbortOnDropHandle<Ran>,
    /// What it would have written, and what the stable version writes.
    would: Writes,
    does: Writes,
    /// Of which activity task.
    of: String,
    began: Instant,
    place: OwnedSemaphorePermit,
}

#[derive(Debug)]
struct NoBeats;

impl Beats for NoBeats {
    fn beat(&self, _: &str) -> Directive {
        Directive::Proceed
    }
}

impl Shadows {
    pub(super) fn new(modules: Modules, sandbox: &Sandbox) -> Self {
        let room = Arc::new(Semaphore::new(SHADOWS));
        Self { modules, sandbox: sandbox.beside(), room }
    }

    /// Begins one if there is room, and the candidate is compiled. `busy` is where activity tasks
    /// run.
    pub(super) fn begin(
        &self,
        busy: &Sandbox,
        trial: &Trial,
        invocation: &NewInvocation,
        input: &str,
    ) -> Option<Shadow> {
        let place = Arc::clone(&self.room).try_acquire_owned().ok().filter(|_| !busy.is_busy());
        let Some((place, module)) = place.zip(self.modules.shadow(trial)) else {
            self.modules.compared(trial, &Compared::Skipped);
            return None;
        };
        let would = Writes::default();
        let given = invocation();
        let of = format!("{} {}", given.context.workflow_id, given.context.activity_id);
        let aside = Invocation {
            blobs: Arc::new(NotedStore::without_effect(given.blobs, would.clone())),
            beats: Arc::new(NoBeats),
            grants: Grants { http: Vec::new(), ..given.grants },
            ..given
        };
        let (sandbox, input) = (self.sandbox.clone(), input.to_owned());
        let run =
            tokio::spawn(async move { Ran::of(&module, sandbox.run(&module, aside, input).await) });
        Some(Shadow {
            trial: trial.clone(),
            run: AbortOnDropHandle::new(run),
            would,
            does: Writes::default(),
            of,
            began: Instant::now(),
            place,
        })
    }
}

impl Shadow {
    /// The stable version's run, whose writes are noted.
    pub(super) fn note(&self, given: Invocation) -> Invocation {
        let blobs = Arc::new(NotedStore::new(given.blobs, self.does.clone()));
        Invocation { blobs, ..given }
    }

    /// Compares when the shadow has ended, too, without keeping anybody waiting.
    pub(super) fn compare(self, modules: &Modules, stable: &Ran) {
        let took = self.began.elapsed();
        let modules = modules.clone();
        let stable = Outcome::of(stable);
        tokio::spawn(async move {
            let Self { trial, run, would, does, of, place, .. } = self;
            let compared = match timeout((took * 3).max(GRACE), run).await {
                Ok(Ok(shadow)) => compare(&stable, &Outcome::of(&shadow), (&does, &would)),
                // The host is wrong: that says nothing of the candidate.
                Ok(Err(_)) => Compared::Skipped,
                Err(_) => Compared::Different("it takes more than three times as long".to_owned()),
            };
            let compared = match compared {
                Compared::Different(what) => Compared::Different(format!("{of}: {what}")),
                other => other,
            };
            modules.compared(&trial, &compared);
            drop(place);
        });
    }
}

/// How a run ended, as far as it is compared.
#[derive(Debug, Clone, PartialEq)]
struct Outcome {
    ended: Result<Value, String>,
    /// It sent or got something by HTTP, which a shadow may not.
    spoke: bool,
}

impl Outcome {
    fn of(ran: &Ran) -> Self {
        let ended = match &ran.outcome {
            // Results are JSON; what is not is compared as it is.
            Ok(Ok(text)) => Ok(serde_json::from_str(text).unwrap_or_else(|_| text[..].into())),
            Ok(Err(failure)) => Err(failure.reason.clone()),
            Err(error) => Err(error.reason().to_owned()),
        };
        Self { ended, spoke: ran.metering.http_sent + ran.metering.http_received > 0 }
    }
}

fn compare(stable: &Outcome, shadow: &Outcome, (does, would): (&Writes, &Writes)) -> Compared {
    let refused = matches!(&shadow.ended, Err(reason) if reason == "cpe.denied.http");
    // Of these, one was stopped from outside, or not let do what the other did.
    let outside = ["cpe.canceled", "cpe.internal", "cpe.commit"];
    let stopped = matches!(&stable.ended, Err(reason) if outside.contains(&reason.as_str()));
    if stable.spoke || refused || stopped {
        return Compared::Skipped;
    }
    let what = match (&stable.ended, &shadow.ended) {
        (Ok(stable), Ok(shadow)) => match difference(stable, shadow) {
            Some(place) if place.is_empty() => "the results differ".to_owned(),
            Some(place) => format!("the results differ at {place}"),
            None => match does.difference(would) {
                Some(what) => what,
                None => return Compared::Same,
            },
        },
        (Err(stable), Err(shadow)) if stable == shadow => return Compared::Same,
        (Err(stable), Err(shadow)) => format!("it fails with {shadow}, not with {stable}"),
        (Ok(_), Err(shadow)) => format!("it fails with {shadow}"),
        (Err(stable), Ok(_)) => format!("it does not fail with {stable}"),
    };
    Compared::Different(what)
}

/// The first place where two documents differ, as a JSON pointer; nothing for the whole.
fn difference(one: &Value, two: &Value) -> Option<String> {
    match (one, two) {
        (Value::Object(one), Value::Object(two)) => {
            let mut keys = one.keys().chain(two.keys().filter(|key| !one.contains_key(*key)));
            keys.find_map(|key| match (one.get(key), two.get(key)) {
                (Some(one), Some(two)) => Some(format!("/{key}{}", difference(one, two)?)),
                _ => Some(format!("/{key}")),
            })
        }
        (Value::Array(one), Value::Array(two)) if one.len() == two.len() => {
            let mut pairs = one.iter().zip(two).enumerate();
            pairs.find_map(|(n, (one, two))| Some(format!("/{n}{}", difference(one, two)?)))
        }
        _ => (one != two).then(String::new),
    }
}

#[cfg(test)]
mod tests {
    use cpe_ports::ObjectAddress;
    use expect_test::{Expect, expect};
    use serde_json::json;

    use super::{store::Written, *};

    fn ended(ended: Result<Value, &str>) -> Outcome {
        Outcome { ended: ended.map_err(str::to_owned), spoke: false }
    }

    #[track_caller]
    fn check(stable: Result<Value, &str>, shadow: Result<Value, &str>, expect: Expect) {
        let nothing = (&Writes::default(), &Writes::default());
        let compared = compare(&ended(stable), &ended(shadow), nothing);
        expect.assert_eq(&format!("{compared:?}"));
    }

    #[test]
    fn results_and_reasons_are_compared() {
        let document = json!({"a": [1, {"b": 2}], "c": null});
        check(Ok(document.clone()), Ok(document.clone()), expect!["Same"]);
        let other = json!({"a": [1, {"b": 3}], "c": null});
        check(
            Ok(document.clone()),
            Ok(other),
            expect![[r#"Different("the results differ at /a/1/b")"#]],
        );
        check(
            Ok(document.clone()),
            Ok(json!({"a": [1, {"b": 2}], "d": 0})),
            expect![[r#"Different("the results differ at /c")"#]],
        );
        check(Ok(json!(1)), Ok(json!("1")), expect![[r#"Different("the results differ")"#]]);
        check(Err("a.b"), Err("a.b"), expect!["Same"]);
        check(
            Err("a.b"),
            Err("cpe.trap"),
            expect![[r#"Different("it fails with cpe.trap, not with a.b")"#]],
        );
        check(Ok(document.clone()), Err("a.b"), expect![[r#"Different("it fails with a.b")"#]]);
        check(
            Err("a.b"),
            Ok(document.clone()),
            expect![[r#"Different("it does not fail with a.b")"#]],
        );
        check(Ok(document.clone()), Err("cpe.denied.http"), expect!["Skipped"]);
        check(Err("cpe.canceled"), Ok(document), expect!["Skipped"]);
    }

    #[test]
    fn what_is_written_is_compared_too() {
        let (does, would) = (Writes::default(), Writes::default());
        let both = |does: &Writes, would: &Writes| {
            let same = ended(Ok(json!(1)));
            format!("{:?}", compare(&same, &same, (does, would)))
        };
        does.note(&ObjectAddress::new("b", "k"), Written::Put(5));
        expect![[r#"Different("it would not write s3://b/k")"#]].assert_eq(&both(&does, &would));
        would.note(&ObjectAddress::new("b", "k"), Written::Put(6));
        expect![[r#"Different("it would write 6 bytes to s3://b/k, not 5")"#]]
            .assert_eq(&both(&does, &would));
        would.note(&ObjectAddress::new("b", "k"), Written::Put(5));
        assert_eq!(both(&does, &would), "Same");
        would.note(&ObjectAddress::new("b", "l"), Written::Deleted);
        expect![[r#"Different("it would delete s3://b/l")"#]].assert_eq(&both(&does, &would));
    }
}
