//! What an activity says of itself: name, version, and the form of its input and output.
//!
//! [`activity`](crate::activity) writes it into a custom section of the component, while it is
//! compiled, as one JSON document. `cpe module push` and `cpe module show` read it, and tell how a
//! new version differs from the one before. It is a description, and checks nothing by itself.
//!
//! Types say their form with `#[derive(Schema)]`; one that does not may be anything.

mod shapes;
mod writer;

pub use self::writer::{length, write};

/// The world that this crate's components are built for.
pub const WORLD: &str = "cpe:activity/activity@0.1.0";

/// The name of the custom section.
pub const SECTION: &str = "cpe:activity/description";

/// A type whose form as JSON is known: what its `Serialize` writes and its `Deserialize` reads.
///
/// Derive it. The attributes of serde that decide about the form are followed.
///
/// ```
/// use cpe_guest::Schema;
/// use serde::Deserialize;
///
/// /// Which object.
/// #[derive(Deserialize, Schema)]
/// struct Input {
///     bucket: String,
///     /// The object's key.
///     #[serde(rename = "file")]
///     key: String,
///     lines: Option<u32>,
/// }
/// # fn main() {}
/// ```
pub trait Schema {
    /// Its form.
    const SHAPE: Shape;
}

/// The form of a JSON value, as far as activities need JSON Schema.
#[derive(Debug, Clone, Copy)]
pub enum Shape {
    /// Any value.
    Any,
    /// `null`.
    Null,
    /// `true` or `false`.
    Boolean,
    /// A whole number.
    Integer,
    /// A whole number from 0.
    Unsigned,
    /// A number.
    Number,
    /// A text.
    Text,
    /// This text and no other.
    Word(&'static str),
    /// That, or `null`.
    Nullable(&'static Shape),
    /// A list of those.
    List(&'static Shape),
    /// An object with any keys, of those.
    Map(&'static Shape),
    /// An object with these keys.
    Object {
        /// In order.
        fields: &'static [Field],
        /// Whether other keys are refused.
        closed: bool,
    },
    /// One of these.
    Either(&'static [Shape]),
}

/// A key of an object.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// The key.
    pub name: &'static str,
    /// What it is, for people; may be empty.
    pub about: &'static str,
    /// Whether it has to be there.
    pub required: bool,
    /// Its value.
    pub shape: &'static Shape,
}

/// What an activity says of itself.
#[derive(Debug, Clone, Copy)]
pub struct Description {
    /// The crate's name.
    pub name: &'static str,
    /// The crate's version.
    pub version: &'static str,
    /// What it does, for people.
    pub about: &'static str,
    /// The WIT world that it is built for.
    pub world: &'static str,
    /// The form of its input.
    pub input: Shape,
    /// The form of its output.
    pub output: Shape,
}

/// What the attribute's expansion asks of a type that may or may not be a [`Schema`]: an inherent
/// constant comes before the one of a trait.
#[doc(hidden)]
#[derive(Debug)]
pub struct Probe<T: ?Sized>(std::marker::PhantomData<T>);

#[doc(hidden)]
#[allow(missing_docs, reason = "not part of the API")]
pub trait Undescribed {
    const SHAPE: Shape = Shape::Any;
}

impl<T: ?Sized> Undescribed for Probe<T> {}

#[allow(missing_docs, reason = "not part of the API")]
impl<T: Schema + ?Sized> Probe<T> {
    pub const SHAPE: Shape = T::SHAPE;
}

/// What the attribute's expansion asks of the type that an activity returns.
#[doc(hidden)]
#[allow(missing_docs, reason = "not part of the API")]
pub trait Returns {
    type Output;
}

impl<O, E> Returns for Result<O, E> {
    type Output = O;
}

#[cfg(test)]
mod tests;
