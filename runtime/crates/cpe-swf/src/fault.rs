//! The faults with which SWF refuses a request.

use std::fmt;

/// A fault by its AWS name, with its message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind}: {message}")]
pub struct Fault {
    pub kind: FaultKind,
    pub message: String,
}

impl Fault {
    pub fn new(kind: FaultKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }
}

macro_rules! fault_kinds {
    ($($(#[$doc:meta])* $variant:ident),* $(,)?) => {
        /// Which fault. The first eleven are SWF's own; the rest come from its front door.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum FaultKind {
            $($(#[$doc])* $variant,)*
        }

        impl FaultKind {
            /// The name on the wire, without its namespace.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => stringify!($variant),)*
                }
            }

            pub fn from_name(name: &str) -> Option<Self> {
                match name {
                    $(stringify!($variant) => Some(Self::$variant),)*
                    _ => None,
                }
            }
        }
    };
}

fault_kinds! {
    UnknownResourceFault,
    OperationNotPermittedFault,
    LimitExceededFault,
    DomainAlreadyExistsFault,
    DomainDeprecatedFault,
    TypeAlreadyExistsFault,
    TypeDeprecatedFault,
    TypeNotDeprecatedFault,
    WorkflowExecutionAlreadyStartedFault,
    DefaultUndefinedFault,
    TooManyTagsFault,
    /// A request that breaks a length, a pattern or a rule between fields.
    ValidationException,
    /// A request whose JSON does not have the operation's shape.
    SerializationException,
    /// No operation has that name.
    UnknownOperationException,
    /// The account's or the endpoint's request rate is used up.
    ThrottlingException,
    /// The endpoint itself failed.
    InternalFailure,
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
