//! The wire form that history events and decisions share: a type name, and beside it the
//! attributes under a key that is derived from that name.

/// Defines an enum over attribute structs with that wire form.
macro_rules! tagged {
    (
        $(#[$doc:meta])*
        $name:ident tagged by $tag:literal {
            $($variant:ident $key:literal),* $(,)?
        }
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        #[allow(clippy::large_enum_variant, reason = "always behind an Arc or a Vec of a few")]
        pub enum $name {
            $($variant($variant),)*
        }

        impl $name {
            /// The type's name on the wire.
            pub fn type_name(&self) -> &'static str {
                match self {
                    $(Self::$variant(_) => stringify!($variant),)*
                }
            }

            fn serialize_into<M: serde::ser::SerializeMap>(
                &self,
                map: &mut M,
            ) -> Result<(), M::Error> {
                map.serialize_entry($tag, self.type_name())?;
                match self {
                    $(Self::$variant(attributes) => map.serialize_entry($key, attributes),)*
                }
            }

            fn from_map<E: serde::de::Error>(
                map: &mut serde_json::Map<String, serde_json::Value>,
            ) -> Result<Self, E> {
                let tag = map.get($tag).and_then(serde_json::Value::as_str).unwrap_or_default();
                match tag {
                    $(stringify!($variant) => {
                        let attributes = map
                            .remove($key)
                            .unwrap_or_else(|| serde_json::Value::Object(serde_json::Map::new()));
                        serde_json::from_value(attributes).map(Self::$variant).map_err(|error| {
                            E::custom(format_args!("{}: {error}", $key))
                        })
                    })*
                    other => Err(E::custom(format_args!("unknown {} `{other}`", $tag))),
                }
            }
        }

        $(impl From<$variant> for $name {
            fn from(attributes: $variant) -> Self {
                Self::$variant(attributes)
            }
        })*
    };
}

pub(crate) use tagged;
