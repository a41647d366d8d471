//! Makes `foreach_guest!` of what is under `tests/guests/`: a macro that names every guest, and
//! every way in which `misbehave` misbehaves, so that one without a test does not compile.

use std::{env, fmt::Write as _, fs, path::Path};

fn main() {
    let guests = Path::new(&env::var("CARGO_MANIFEST_DIR").expect("cargo sets it")).join("guests");
    let misbehave = guests.join("misbehave/src/lib.rs");
    println!("cargo::rerun-if-changed={}", guests.display());
    println!("cargo::rerun-if-changed={}", misbehave.display());

    let mut names: Vec<String> = fs::read_dir(&guests)
        .expect("the folder of guests is there")
        .flatten()
        .filter(|entry| entry.path().join("Cargo.toml").is_file())
        .map(|entry| entry.file_name().to_string_lossy().replace('-', "_"))
        .filter(|name| name != "misbehave")
        .collect();
    let text = fs::read_to_string(&misbehave).expect("misbehave is there");
    names.extend(variants(&text).map(|variant| snake_case(&variant)));
    names.sort();

    let mut code = String::from("macro_rules! foreach_guest {\n    ($mac:ident) => {\n");
    for name in &names {
        writeln!(code, "        $mac!({name});").expect("a string takes all");
    }
    code.push_str("    };\n}\n");
    let out = Path::new(&env::var("OUT_DIR").expect("cargo sets it")).join("guests.rs");
    fs::write(out, code).expect("cargo's folder can be written to");
}

/// The variants of `enum Input`, as rustfmt writes them: at the first level of indentation.
fn variants(text: &str) -> impl Iterator<Item = String> {
    text.lines()
        .skip_while(|line| !line.starts_with("pub enum Input"))
        .take_while(|line| *line != "}")
        .filter_map(|line| line.strip_prefix("    "))
        .filter(|line| line.starts_with(|c: char| c.is_ascii_uppercase()))
        .map(|line| line.chars().take_while(char::is_ascii_alphanumeric).collect())
}

fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.push(c.to_ascii_lowercase());
    }
    snake
}
