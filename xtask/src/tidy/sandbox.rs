//! The switches of wasmtime that the sandbox stands on: set, in one place, and not undone by a
//! feature of the build.

use std::path::Path;

use anyhow::Context;

const ENGINE: &str = "runtime/crates/cpe-sandbox/src/engine.rs";

/// What `Config` must be told, each with the reason.
const SWITCHES: [(&str, &str); 14] = [
    (".strategy(Strategy::Cranelift)", "guests are compiled by Cranelift, and not by Winch"),
    (".epoch_interruption(true)", "a busy guest is interrupted"),
    (".max_wasm_stack(", "a guest's recursion ends"),
    (".wasm_threads(false)", "no threads"),
    (".shared_memory(false)", "no memory that two instances share"),
    (".wasm_memory64(false)", "no memory beyond 4 GiB"),
    (".wasm_exceptions(false)", "no exceptions"),
    (".wasm_gc(false)", "no garbage-collected objects"),
    (".wasm_function_references(false)", "no typed function references"),
    (".wasm_stack_switching(false)", "no stack switching"),
    (".concurrency_support(false)", "no asynchronous components"),
    (".max_memories_per_component(", "the pool's slots are counted"),
    (".max_tables_per_component(", "the pool's slots are counted"),
    (".table_elements(", "the pool's tables end"),
];

/// What each store must be given, wherever that is.
const STORES: [(&str, &str, &str); 8] = [
    ("sandbox.rs", ".limiter(", "memory and tables are limited"),
    ("sandbox.rs", ".set_hostcall_fuel(", "one call passes so much"),
    ("sandbox.rs", ".set_max_component_handles(", "a component's own handles are counted"),
    ("sandbox.rs", ".epoch_deadline_async_yield_and_update(", "a busy guest yields"),
    ("state.rs", ".set_max_capacity(", "the host's handles are counted"),
    ("wasi.rs", ".max_random_size(", "one call gives so many random bytes"),
    ("wasi.rs", ".allow_tcp(false)", "no sockets"),
    ("host/http.rs", ".set_field_size_limit(", "header fields are limited"),
];

/// Without these, this release of wasmtime can abort.
const FEATURES: [&str; 2] = ["gc", "threads"];
const NO_FEATURES: [&str; 3] = ["winch", "component-model-async", "stack-switching"];

pub(super) fn check(root: &Path) -> anyhow::Result<Vec<String>> {
    let read = |name: &str| {
        std::fs::read_to_string(root.join(name)).with_context(|| format!("cannot read {name}"))
    };
    let mut complaints = switches(&read(ENGINE)?);
    for (file, call, why) in STORES {
        let name = format!("runtime/crates/cpe-sandbox/src/{file}");
        if !without_comments(&read(&name)?).contains(call) {
            complaints.push(format!("{name}: `{call}…` is not called: {why}"));
        }
    }
    complaints.extend(features(&read("Cargo.toml")?));
    Ok(complaints)
}

fn switches(engine: &str) -> Vec<String> {
    let code = without_comments(engine);
    let mut complaints = Vec::new();
    for (switch, why) in SWITCHES {
        if !code.contains(switch) {
            complaints.push(format!("{ENGINE}: `{switch}` is missing: {why}"));
        }
        // What is said twice may be undone the second time.
        let name = switch.split_inclusive('(').next().unwrap_or(switch);
        if code.matches(name).count() > 1 {
            complaints.push(format!("{ENGINE}: `{name}…)` is there more than once"));
        }
    }
    if code.matches("= Config::new()").count() != 1 {
        complaints.push(format!("{ENGINE}: there is one `Config`, and it is made here"));
    }
    complaints
}

fn features(manifest: &str) -> Vec<String> {
    let line = manifest.lines().find(|line| line.starts_with("wasmtime = ")).unwrap_or_default();
    let has = |feature: &&str| line.contains(&format!("\"{feature}\""));
    let mut complaints = Vec::new();
    if !line.contains("default-features = false") {
        complaints.push("Cargo.toml: wasmtime's features are named, and not its defaults".into());
    }
    for missing in FEATURES.iter().filter(|feature| !has(feature)) {
        complaints.push(format!("Cargo.toml: wasmtime can abort without its feature `{missing}`"));
    }
    for surplus in NO_FEATURES.iter().filter(|feature| has(feature)) {
        complaints.push(format!("Cargo.toml: guests do without wasmtime's feature `{surplus}`"));
    }
    complaints
}

fn without_comments(code: &str) -> String {
    code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_undone_or_made_twice_is_found() {
        let engine = std::fs::read_to_string(crate::shell::root().join(ENGINE)).unwrap();
        assert_eq!(switches(&engine), Vec::<String>::new());
        for (switch, _) in SWITCHES {
            let without = engine.replace(switch, &switch.replace('.', ".no_"));
            assert_eq!(switches(&without).len(), 1, "{switch}");
            let twice = format!("{engine}\nconfig{switch}true);");
            assert_eq!(switches(&twice).len(), 1, "{switch}");
        }
        assert_eq!(switches(&format!("{engine}\nlet x = Config::new();")).len(), 1);
    }

    #[test]
    fn features_that_are_needed_and_that_are_not_wanted_are_found() {
        let good = "wasmtime = { default-features = false, features = [\"gc\", \"threads\"] }";
        assert_eq!(features(good), Vec::<String>::new());
        for bad in [
            good.replace("\"gc\"", "\"gc-drc\""),
            good.replace("\"gc\"", "\"gc\", \"winch\""),
            good.replace("default-features = false", ""),
        ] {
            assert_eq!(features(&bad).len(), 1, "{bad}");
        }
    }
}
