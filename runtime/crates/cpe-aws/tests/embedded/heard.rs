//! Which operations a test called and how they were answered, as the SDK itself saw it.

use std::{cell::RefCell, collections::BTreeSet};

use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        interceptors::{Intercept, context::FinalizerInterceptorContextRef},
        orchestrator::Metadata,
        runtime_components::RuntimeComponents,
    },
};
use aws_smithy_types::config_bag::ConfigBag;

/// A call's service and operation, and the fault's name if it was refused.
pub(crate) type Call = (String, String, Option<String>);

thread_local! {
    // A test and everything that it starts run on one thread.
    static CALLS: RefCell<BTreeSet<Call>> = const { RefCell::new(BTreeSet::new()) };
}

/// What is called while `test` runs.
pub(crate) fn during(test: fn()) -> BTreeSet<Call> {
    CALLS.take();
    test();
    CALLS.take()
}

/// Listens to one client.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Listener;

#[aws_smithy_runtime_api::client::interceptors::dyn_dispatch_hint]
impl Intercept for Listener {
    fn name(&self) -> &'static str {
        "Listener"
    }

    fn read_after_execution(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        cfg: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let metadata = cfg.load::<Metadata>().expect("every operation has its metadata");
        let refused = match context.output_or_error() {
            Some(Ok(_)) => None,
            _ => {
                Some(context.response().and_then(|r| fault(r.body().bytes()?)).unwrap_or_default())
            }
        };
        let call = (metadata.service().to_owned(), metadata.name().to_owned(), refused);
        CALLS.with_borrow_mut(|calls| calls.insert(call));
        Ok(())
    }
}

/// The name of a fault in a body of JSON.
fn fault(body: &[u8]) -> Option<String> {
    let body: serde_json::Value = serde_json::from_slice(body).ok()?;
    let name = body.get("__type")?.as_str()?;
    Some(name.rsplit('#').next().unwrap_or(name).to_owned())
}
