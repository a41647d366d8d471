//! Guests that are no components: they do what their input says, in virtual time.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use cpe_sandbox::{Beats, Digest, Directive, Failure, Invocation, Metering};
use cpe_worker::{Binding, Choice, Guests, Ran};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Debug)]
pub(crate) struct Acting;

#[derive(Debug, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
enum Act {
    Echo {
        value: Value,
    },
    /// Takes so many seconds, on a CPU as far as anybody can tell, and tells of each.
    Beat {
        seconds: u32,
    },
    /// Beats until it is asked to cancel, and obeys.
    Wait,
    Fail,
    /// Fails so often before it answers.
    Flaky {
        times: u32,
    },
    /// More than SWF stores.
    Long,
}

#[async_trait]
impl Guests for Acting {
    async fn run(
        &self,
        _: Arc<Binding>,
        _: Choice,
        invocation: Box<dyn Fn() -> Invocation + Send + Sync>,
        input: String,
    ) -> Ran {
        let Invocation { beats, context, .. } = invocation();
        let began = tokio::time::Instant::now();
        let act = serde_json::from_str(&input).unwrap_or_else(|e| panic!("{input}: {e}"));
        let outcome = run(act, context.attempt, &*beats).await;
        let metering = Metering { cpu: began.elapsed(), ..Metering::default() };
        beats.took(&metering);
        let outcome = outcome.map(|value| value.to_string()).map_err(|reason| Failure {
            reason: reason.to_owned(),
            details: "as it was told".to_owned(),
            retryable: reason == "acting.flaky",
        });
        Ran { outcome: Ok(outcome), metering, module: Some(Digest::of(b"acting")) }
    }
}

async fn run(act: Act, attempt: u32, beats: &dyn Beats) -> Result<Value, &'static str> {
    match act {
        Act::Echo { value } => Ok(value),
        Act::Beat { seconds } => {
            for second in 0..seconds {
                if beats.beat(&second.to_string()) == Directive::Cancel {
                    return Err("cpe.canceled");
                }
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            Ok(json!(seconds))
        }
        Act::Wait => {
            while beats.beat("null") == Directive::Proceed {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            Err("cpe.canceled")
        }
        Act::Fail => Err("acting.fail"),
        Act::Flaky { times } if attempt <= times => Err("acting.flaky"),
        Act::Flaky { .. } => Ok(json!(attempt)),
        Act::Long => Ok(json!("x".repeat(40_000))),
    }
}
