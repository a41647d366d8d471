//! The faults with which SQS refuses a request, in the names of both protocols.

use std::fmt;

/// A fault by its AWS name, with its message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind}: {message}")]
pub(crate) struct SqsFault {
    pub(crate) kind: SqsFaultKind,
    pub(crate) message: String,
}

impl SqsFault {
    pub(crate) fn new(kind: SqsFaultKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    pub(crate) fn no_such_queue() -> Self {
        Self::new(SqsFaultKind::QueueDoesNotExist, "The specified queue does not exist.")
    }

    /// Whether the client is to blame.
    pub(crate) fn is_senders(&self) -> bool {
        self.kind != SqsFaultKind::Unavailable
    }

    /// The status of the answer in HTTP.
    pub(crate) fn status(&self) -> u16 {
        match self.kind {
            SqsFaultKind::Unavailable => 503,
            SqsFaultKind::OverLimit => 403,
            SqsFaultKind::ResourceNotFound => 404,
            _ => 400,
        }
    }

    /// A parameter that is there, but wrong.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(SqsFaultKind::InvalidParameterValue, message)
    }

    pub(crate) fn missing(parameter: &str) -> Self {
        Self::new(
            SqsFaultKind::MissingParameter,
            format!("The request must contain the parameter {parameter}."),
        )
    }
}

macro_rules! fault_kinds {
    ($($(#[$doc:meta])* $variant:ident = $json:literal, $query:literal;)*) => {
        /// Which fault.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub(crate) enum SqsFaultKind {
            $($(#[$doc])* $variant,)*
        }

        impl SqsFaultKind {
            /// The name in the JSON protocol, without its namespace.
            pub(crate) fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $json,)*
                }
            }

            /// The code in the query protocol, which older clients match on.
            pub(crate) fn query_code(self) -> &'static str {
                match self {
                    $(Self::$variant => $query,)*
                }
            }
        }
    };
}

fault_kinds! {
    QueueDoesNotExist = "QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue";
    QueueNameExists = "QueueNameExists", "QueueAlreadyExists";
    ReceiptHandleIsInvalid = "ReceiptHandleIsInvalid", "ReceiptHandleIsInvalid";
    MessageNotInflight = "MessageNotInflight", "AWS.SimpleQueueService.MessageNotInflight";
    /// Too many messages are in flight, or a permission has too many actions.
    OverLimit = "OverLimit", "OverLimit";
    PurgeQueueInProgress = "PurgeQueueInProgress", "AWS.SimpleQueueService.PurgeQueueInProgress";
    /// What an ARN or a handle names is not there.
    ResourceNotFound = "ResourceNotFoundException", "ResourceNotFoundException";
    UnsupportedOperation = "UnsupportedOperation", "AWS.SimpleQueueService.UnsupportedOperation";
    InvalidMessageContents = "InvalidMessageContents", "InvalidMessageContents";
    InvalidAttributeName = "InvalidAttributeName", "InvalidAttributeName";
    InvalidAttributeValue = "InvalidAttributeValue", "InvalidAttributeValue";
    EmptyBatchRequest = "EmptyBatchRequest", "AWS.SimpleQueueService.EmptyBatchRequest";
    TooManyEntriesInBatchRequest = "TooManyEntriesInBatchRequest",
        "AWS.SimpleQueueService.TooManyEntriesInBatchRequest";
    BatchEntryIdsNotDistinct = "BatchEntryIdsNotDistinct",
        "AWS.SimpleQueueService.BatchEntryIdsNotDistinct";
    InvalidBatchEntryId = "InvalidBatchEntryId", "AWS.SimpleQueueService.InvalidBatchEntryId";
    BatchRequestTooLong = "BatchRequestTooLong", "AWS.SimpleQueueService.BatchRequestTooLong";
    InvalidParameterValue = "InvalidParameterValueException", "InvalidParameterValue";
    MissingParameter = "MissingRequiredParameterException", "MissingParameter";
    /// A request whose text does not have the operation's shape.
    Malformed = "SerializationException", "MalformedInput";
    InvalidAction = "UnknownOperationException", "InvalidAction";
    /// The endpoint itself has stopped.
    Unavailable = "ServiceUnavailable", "ServiceUnavailable";
}

impl fmt::Display for SqsFaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
