//! Compiling in a child process of the real program: what explodes there costs nobody else
//! anything.

use std::time::{Duration, Instant};

use bytes::Bytes;
use cpe_sandbox::{ChildCompiler, CompileLimits, Compiler, Sandbox, SandboxConfig, SandboxError};
use cpe_tests::{activity, cpe_program};
use wasm_encoder::{
    CodeSection, Component, Function, FunctionSection, Module, ModuleSection, TypeSection, ValType,
};

fn sandbox(limits: CompileLimits) -> Sandbox {
    let compiler = Compiler::Child(ChildCompiler {
        program: cpe_program(),
        arguments: vec!["compile-module".into()],
        limits,
    });
    Sandbox::new(SandboxConfig { max_concurrent: 2, compiler, ..SandboxConfig::default() }).unwrap()
}

/// A component around one core module with one function of so many instructions: a file of a few
/// megabytes, whose compilation takes gigabytes and minutes.
fn explosive(instructions: usize) -> Bytes {
    // `local.get 0; i32.const 1; i32.add; local.set 0`, again and again: one chain of values.
    let chain = [0x20, 0x00, 0x41, 0x01, 0x6a, 0x21, 0x00];
    let mut function = Function::new([]);
    function.raw(chain.repeat(instructions / 4));
    function.raw([0x20, 0x00, 0x0b]);
    let mut types = TypeSection::new();
    types.ty().function([ValType::I32], [ValType::I32]);
    let mut functions = FunctionSection::new();
    functions.function(0);
    let mut code = CodeSection::new();
    code.function(&function);
    let mut module = Module::new();
    module.section(&types).section(&functions).section(&code);
    let mut component = Component::new();
    component.section(&ModuleSection(&module));
    component.finish().into()
}

async fn refused(limits: CompileLimits, component: Bytes) -> SandboxError {
    sandbox(limits).load("explosive", component).await.unwrap_err()
}

#[tokio::test]
async fn an_honest_component_is_compiled_by_the_program_itself() {
    let noop = std::fs::read(activity("noop")).unwrap();
    sandbox(CompileLimits::default()).load("noop", noop.into()).await.unwrap();
    let invalid = refused(CompileLimits::default(), explosive(4).slice(..30)).await;
    assert_eq!(invalid.reason(), "cpe.module.invalid");
    assert!(invalid.details().len() > invalid.to_string().len(), "{}", invalid.details());
}

#[tokio::test]
async fn one_that_explodes_fails_by_its_own_reason() {
    let whole = CompileLimits::default();
    for (limits, what) in [
        (CompileLimits { cpu: 1, ..whole }, "1 s of CPU time"),
        (CompileLimits { memory: 200 << 20, ..whole }, "209715200 bytes of memory"),
        (CompileLimits { wall: 1, ..whole }, "1 s of time"),
    ] {
        let start = Instant::now();
        let error = refused(limits, explosive(4_000_000)).await;
        assert_eq!(error.reason(), "cpe.module.compile-limit", "{error}");
        assert!(error.to_string().contains(what), "{error}");
        assert!(start.elapsed() < Duration::from_secs(30));
    }
    let error = refused(CompileLimits { output: 1000, ..whole }, explosive(4)).await;
    assert!(error.to_string().contains("1000 bytes of output"), "{error}");
}
