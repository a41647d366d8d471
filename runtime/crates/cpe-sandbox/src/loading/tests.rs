use std::{fs, path::PathBuf};

use super::*;
use crate::{ChildCompiler, CompileLimits, compile, test_guests};

/// A cache, and a compiler that knows one answer and counts how often it was asked.
struct Scene {
    dir: tempfile::TempDir,
}

impl Scene {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("code"), code()).unwrap();
        Self { dir }
    }

    /// What another process would have.
    fn loader(&self) -> Arc<Loader> {
        self.loader_with("echo x >> $0/asked; cat $0/code")
    }

    fn loader_with(&self, script: &str) -> Arc<Loader> {
        let folder = self.dir.path().to_str().unwrap();
        let config = SandboxConfig {
            max_concurrent: 1,
            cache_dir: Some(self.cache()),
            compiler: Compiler::Child(ChildCompiler {
                program: "/bin/sh".into(),
                arguments: vec!["-c".into(), script.into(), folder.into()],
                limits: CompileLimits::default(),
            }),
            ..SandboxConfig::default()
        };
        Arc::new(Loader::new(&config).unwrap())
    }

    fn cache(&self) -> PathBuf {
        self.dir.path().join("cache")
    }

    fn asked(&self) -> usize {
        fs::read_to_string(self.dir.path().join("asked")).unwrap_or_default().lines().count()
    }

    fn entry(&self) -> PathBuf {
        let mut entries = fs::read_dir(self.cache()).unwrap().map(|entry| entry.unwrap().path());
        entries.find(|path| path.extension().is_some_and(|end| end == "cwasm")).unwrap()
    }
}

fn code() -> Vec<u8> {
    engine::on_demand().unwrap().precompile_component(&test_guests::scripted()).unwrap()
}

#[tokio::test]
async fn processes_that_share_a_cache_compile_once() {
    let scene = Scene::new();
    let loaders: Vec<_> = (0..4).map(|_| scene.loader()).collect();
    let loads = loaders.iter().map(|loader| loader.load("m", test_guests::scripted()));
    for module in futures::future::join_all(loads).await {
        module.unwrap();
    }
    assert_eq!(scene.asked(), 1);
    scene.loader().load("m", test_guests::scripted()).await.expect("a restart finds it");
    assert_eq!(scene.asked(), 1);
}

#[tokio::test]
async fn machine_code_that_somebody_planted_is_not_loaded() {
    let scene = Scene::new();
    scene.loader().load("m", test_guests::scripted()).await.unwrap();
    let ours = fs::read(scene.entry()).unwrap();
    let mut signed_by_another = vec![7; 32];
    signed_by_another.extend_from_slice(&code());
    let mut altered = ours.clone();
    *altered.last_mut().unwrap() ^= 1;
    for (round, planted) in [code(), signed_by_another, altered, Vec::new()].iter().enumerate() {
        fs::write(scene.entry(), planted).unwrap();
        scene.loader().load("m", test_guests::scripted()).await.unwrap();
        assert_eq!(scene.asked(), round + 2, "compiled again");
        assert_eq!(fs::read(scene.entry()).unwrap(), ours, "and put right");
    }
}

#[tokio::test]
async fn a_compiler_that_fails_costs_one_module() {
    let scene = Scene::new();
    let broken = scene.loader_with("kill -SEGV $$");
    let error = broken.load("m", test_guests::scripted()).await.unwrap_err();
    assert_eq!((error.reason(), error.is_retryable()), ("cpe.module.compile-failed", true));
    let explodes = scene.loader_with("kill -XCPU $$");
    let error = explodes.load("m", test_guests::scripted()).await.unwrap_err();
    assert_eq!((error.reason(), error.is_retryable()), ("cpe.module.compile-limit", false));
    scene.loader().load("m", test_guests::scripted()).await.expect("its turn was given back");
}

#[tokio::test]
async fn what_a_child_gives_must_be_machine_code() {
    let scene = Scene::new();
    let error = scene.loader_with("echo hello").load("m", test_guests::scripted()).await;
    assert_eq!(error.unwrap_err().reason(), "cpe.module.invalid");
}

#[tokio::test]
async fn what_is_kept_waits_for_no_compiler() {
    let scene = Scene::new();
    scene.loader().load("m", test_guests::scripted()).await.unwrap();
    let loader = scene.loader();
    let _busy = loader.compilations.acquire_many(default_compilations() as u32).await.unwrap();
    loader.load("m", test_guests::scripted()).await.unwrap();
}

#[test]
fn all_engines_take_the_same_machine_code() {
    let component = test_guests::scripted();
    assert_eq!(compile::machine_code(&component).unwrap(), code());
    let host = Host::new(engine::best(2).unwrap()).unwrap();
    host.component(&code()).unwrap();
}
