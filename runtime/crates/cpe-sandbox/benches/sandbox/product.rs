//! A module in the sandbox as the worker runs it, with everything on.

use std::sync::Arc;

use cpe_ports::{SystemClock, testing::MemoryBlobs};
use cpe_sandbox::{
    Beats, Directive, Finished, Grants, Invocation, Limits, Module, Sandbox, SandboxConfig,
    SandboxError, TaskContext,
};

#[derive(Debug)]
struct NoBeats;

impl Beats for NoBeats {
    fn beat(&self, _: &str) -> Directive {
        Directive::Proceed
    }
}

pub(crate) struct Product {
    pub(crate) sandbox: Sandbox,
    module: Module,
    blobs: Arc<MemoryBlobs>,
    beats: Arc<NoBeats>,
    clock: Arc<SystemClock>,
}

impl Product {
    pub(crate) async fn new(name: &str, bytes: &[u8], max_concurrent: usize) -> Self {
        Self::with(name, bytes, SandboxConfig { max_concurrent, ..SandboxConfig::default() }).await
    }

    pub(crate) async fn with(name: &str, bytes: &[u8], config: SandboxConfig) -> Self {
        let sandbox = Sandbox::new(config).unwrap();
        let module = sandbox.load(name, bytes.to_vec().into()).await.unwrap();
        Self {
            sandbox,
            module,
            blobs: Arc::default(),
            beats: Arc::new(NoBeats),
            clock: Arc::new(SystemClock),
        }
    }

    pub(crate) async fn run(&self, input: &str) -> Result<Finished, SandboxError> {
        let invocation = Invocation {
            context: TaskContext {
                workflow_id: "ClientA.954e8de9dfa0d44d".to_owned(),
                run_id: "22mDcm3U5cxxgLzUZOHjwLjc0JvqBQN0DKIFLBLxRZqLU=".to_owned(),
                activity_id: "ValidateAssetStep".to_owned(),
                activity_name: "ValidateAsset".to_owned(),
                activity_version: "v2".to_owned(),
                attempt: 1,
                client: "ClientA".to_owned(),
                job_id: "954e8de9dfa0d44d".to_owned(),
            },
            limits: Limits::default(),
            grants: Grants::default(),
            blobs: Arc::clone(&self.blobs) as _,
            beats: Arc::clone(&self.beats) as _,
            clock: Arc::clone(&self.clock) as _,
        };
        self.sandbox.run(&self.module, invocation, input.to_owned()).await.map_err(|end| end.error)
    }

    /// A run that is expected to end well.
    pub(crate) async fn must(&self, input: &str) {
        self.run(input).await.unwrap().outcome.unwrap();
    }
}
