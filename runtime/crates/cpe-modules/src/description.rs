//! What a component says of itself: a custom section that the SDK's `#[activity]` writes, read
//! within bounds, because whoever made the component is not trusted.
//!
//! It is a claim. What a component imports is read from the component, and what it may touch is
//! the plan's and the operator's to say.

use cpe_sandbox::WORLD;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use wasmparser::{
    ComponentAlias, ComponentExternalKind, ComponentImport, ComponentOuterAliasKind, ComponentType,
    ComponentTypeRef, Encoding, InstanceTypeDeclaration, Parser, Payload,
};

use crate::ModuleError;

/// The name of the custom section.
pub const SECTION: &str = "cpe:activity/description";

/// More than any activity needs to say of itself.
const MAX_SECTION: usize = 256 << 10;
const MAX_NAME: usize = 128;
const MAX_ABOUT: usize = 1000;
/// Sections that are looked at in search of it.
const MAX_SECTIONS: usize = 100_000;
/// The function by which files are opened; a component imports of an interface what it calls.
const OPEN: &str = "[method]descriptor.open-at";
/// Interfaces of a component that are told.
const MAX_IMPORTS: usize = 1000;

/// A component's description of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    pub name: String,
    pub version: String,
    #[serde(default)]
    pub about: String,
    /// The WIT world that it was built for.
    pub world: String,
    /// JSON Schema of its input; `true` where its author gave none.
    #[serde(default = "anything")]
    pub input: Value,
    /// JSON Schema of its output.
    #[serde(default = "anything")]
    pub output: Value,
}

fn anything() -> Value {
    Value::Bool(true)
}

impl Description {
    /// The description in a component's bytes; `None` if there is none.
    ///
    /// # Errors
    ///
    /// If the bytes are no component, or what they say is too long or not of this form.
    pub fn of(module: &str, bytes: &[u8]) -> Result<Option<Self>, ModuleError> {
        Ok(Inside::of(module, bytes)?.description)
    }

    /// `word-count 0.1.0`.
    pub fn title(&self) -> String {
        format!("{} {}", self.name, self.version)
    }

    fn parse(bytes: &[u8]) -> Result<Self, String> {
        if bytes.len() > MAX_SECTION {
            return Err(format!("it has {} bytes, of at most {MAX_SECTION}", bytes.len()));
        }
        let found: Self = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        let line = |text: &str, most: usize| {
            (1..=most).contains(&text.chars().count()) && !text.chars().any(char::is_control)
        };
        for (what, text) in
            [("name", &found.name), ("version", &found.version), ("world", &found.world)]
        {
            if !line(text, MAX_NAME) {
                return Err(format!("its `{what}` is not a line of 1 to {MAX_NAME} characters"));
            }
        }
        for (what, schema) in [("input", &found.input), ("output", &found.output)] {
            if !matches!(schema, Value::Bool(_) | Value::Object(_)) {
                return Err(format!("its `{what}` is not a JSON Schema"));
            }
        }
        let about = found.about.chars().map(|c| if c.is_control() { ' ' } else { c });
        Ok(Self { about: about.take(MAX_ABOUT).collect(), ..found })
    }
}

/// What can be read in a component without compiling it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inside {
    pub description: Option<Description>,
    /// The interfaces that it imports, as they are written in it.
    pub imports: Vec<String>,
    pub exports: Vec<String>,
    /// Whether it can open files, as programs do not that only print.
    pub opens_files: bool,
}

impl Inside {
    /// Looks into a component.
    ///
    /// # Errors
    ///
    /// If the bytes are no component, or its description is not of this form.
    pub fn of(module: &str, bytes: &[u8]) -> Result<Self, ModuleError> {
        let refused = |problem: String| ModuleError::Description {
            module: module.chars().take(200).collect(),
            problem,
        };
        let mut inside = Self::default();
        // How deep the section is that is being read: what belongs to components within this one
        // is not its own, and what its core modules say is.
        let mut depth = Vec::new();
        let mut types = InstanceTypes::default();
        for payload in Parser::new(0).parse_all(bytes).take(MAX_SECTIONS) {
            let unreadable = |error: wasmparser::BinaryReaderError| refused(error.to_string());
            match payload.map_err(unreadable)? {
                Payload::Version { encoding, .. } => depth.push(encoding),
                Payload::End(_) => drop(depth.pop()),
                Payload::ComponentImportSection(imports) if depth.len() == 1 => {
                    for import in imports {
                        let import = import.map_err(unreadable)?;
                        inside.opens_files |= types.open_files(&import);
                        types.add_import(import.ty);
                        push(&mut inside.imports, import.name.name.to_owned());
                    }
                }
                Payload::ComponentExportSection(exports) if depth.len() == 1 => {
                    for export in exports {
                        let export = export.map_err(unreadable)?;
                        types.add_export(export.kind);
                        push(&mut inside.exports, export.name.name.to_owned());
                    }
                }
                Payload::ComponentTypeSection(section) if depth.len() == 1 => {
                    for ty in section {
                        types.add(&ty.map_err(unreadable)?);
                    }
                }
                Payload::ComponentAliasSection(aliases) if depth.len() == 1 => {
                    for alias in aliases {
                        types.add_alias(&alias.map_err(unreadable)?);
                    }
                }
                Payload::CustomSection(section) if section.name() == SECTION && is_own(&depth) => {
                    if inside.description.is_some() {
                        return Err(refused("it describes itself more than once".to_owned()));
                    }
                    let found = Description::parse(section.data()).map_err(refused)?;
                    inside.description = Some(found);
                }
                _ => {}
            }
        }
        inside.imports.sort();
        Ok(inside)
    }

    /// What it was built for: what it says, or what it must have been.
    pub fn world(&self) -> &str {
        self.description.as_ref().map_or(WORLD, |description| &description.world)
    }
}

/// The component's types in their order, as far as they are of instances that open files.
#[derive(Default)]
struct InstanceTypes {
    count: u32,
    opening: Vec<u32>,
}

impl InstanceTypes {
    fn add(&mut self, ty: &ComponentType<'_>) {
        let opens = |declared: &InstanceTypeDeclaration<'_>| match declared {
            InstanceTypeDeclaration::Export { name, .. } => name.name == OPEN,
            _ => false,
        };
        if let ComponentType::Instance(declared) = ty
            && declared.iter().any(opens)
        {
            self.opening.push(self.count);
        }
        self.count = self.count.saturating_add(1);
    }

    fn add_alias(&mut self, alias: &ComponentAlias<'_>) {
        let is_type = match alias {
            ComponentAlias::InstanceExport { kind, .. } => *kind == ComponentExternalKind::Type,
            ComponentAlias::Outer { kind, .. } => *kind == ComponentOuterAliasKind::Type,
            ComponentAlias::CoreInstanceExport { .. } => false,
        };
        self.count = self.count.saturating_add(u32::from(is_type));
    }

    fn add_import(&mut self, ty: ComponentTypeRef) {
        let is_type = matches!(ty, ComponentTypeRef::Type(_));
        self.count = self.count.saturating_add(u32::from(is_type));
    }

    fn add_export(&mut self, kind: ComponentExternalKind) {
        let is_type = kind == ComponentExternalKind::Type;
        self.count = self.count.saturating_add(u32::from(is_type));
    }

    fn open_files(&self, import: &ComponentImport<'_>) -> bool {
        match import.ty {
            ComponentTypeRef::Instance(index) => self.opening.contains(&index),
            _ => false,
        }
    }
}

fn push(names: &mut Vec<String>, name: String) {
    if names.len() < MAX_IMPORTS {
        names.push(name.chars().take(200).collect());
    }
}

/// In the component itself, or in a core module right in it.
fn is_own(depth: &[Encoding]) -> bool {
    matches!(depth, [_] | [Encoding::Component, Encoding::Module])
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::test_guests::{activity, described};

    #[track_caller]
    fn check(json: &str, expect: Expect) {
        let text = match Description::of("m", &described(1, json)) {
            Ok(found) => format!("{found:?}"),
            Err(error) => error.details(),
        };
        expect.assert_eq(&text);
    }

    #[test]
    fn reads_what_is_there() {
        check(
            r#"{"name":"n","version":"1.0","world":"w","input":{"type":"object"}}"#,
            expect![[
                r#"Some(Description { name: "n", version: "1.0", about: "", world: "w", input: Object {"type": String("object")}, output: Bool(true) })"#
            ]],
        );
        let inside = Inside::of("m", &activity(1)).unwrap();
        assert_eq!(inside.description, None);
        assert_eq!(inside.exports, ["cpe:activity/handler@0.1.0"]);
        assert_eq!(inside.imports, [""; 0]);
    }

    #[test]
    fn refuses_what_is_not_of_the_form() {
        check("", expect!["module m cannot be read: EOF while parsing a value at line 1 column 0"]);
        check(
            r#"{"name":"a\nb","version":"1","world":"w"}"#,
            expect!["module m cannot be read: its `name` is not a line of 1 to 128 characters"],
        );
        check(
            r#"{"name":"a","version":"1","world":"w","input":3}"#,
            expect!["module m cannot be read: its `input` is not a JSON Schema"],
        );
        check(
            &format!(r#"{{"name":"{}"}}"#, "x".repeat(MAX_SECTION)),
            expect!["module m cannot be read: it has 262155 bytes, of at most 262144"],
        );
        check(
            &format!(r#"{{"name":"a","version":"1","world":"w","input":{}}}"#, "[".repeat(10_000)),
            expect!["module m cannot be read: recursion limit exceeded at line 1 column 173"],
        );
        let cut = described(1, r#"{"name":"n","version":"1","world":"w"}"#);
        let cut = &cut[..cut.len() - 3];
        assert_eq!(Inside::of("m", cut).unwrap_err().reason(), "cpe.module.invalid");
        assert_eq!(Inside::of("m", b"hello").unwrap_err().reason(), "cpe.module.invalid");
    }
}
