//! Enums on the wire: a two-element array of a number that never changes and the body.

/// Defines an enum of one-field variants that travels as `[number, body]`.
macro_rules! tagged {
    ($(#[$meta:meta])* pub enum $name:ident { $($(#[$doc:meta])* $kind:literal => $variant:ident($body:ty),)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum $name { $($(#[$doc])* $variant($body),)+ }

        impl $name {
            /// The number of this kind on the wire.
            pub fn kind(&self) -> u16 {
                match self { $(Self::$variant(_) => $kind,)+ }
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match self { $(Self::$variant(body) => ($kind as u16, body).serialize(serializer),)+ }
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Reader;
                impl<'de> serde::de::Visitor<'de> for Reader {
                    type Value = $name;
                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str(concat!("a ", stringify!($name)))
                    }
                    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<$name, A::Error> {
                        let missing = |at| serde::de::Error::invalid_length(at, &"a kind and a body");
                        let kind: u16 = seq.next_element()?.ok_or_else(|| missing(0))?;
                        let value = match kind {
                            $($kind => seq.next_element::<$body>()?.map($name::$variant),)+
                            unknown => return Err($crate::codec::unknown_kind(unknown)),
                        };
                        let value = value.ok_or_else(|| missing(1))?;
                        match seq.next_element::<serde::de::IgnoredAny>()? {
                            None => Ok(value),
                            Some(_) => Err(missing(3)),
                        }
                    }
                }
                deserializer.deserialize_tuple(2, Reader)
            }
        }
    };
}

/// Defines an enum without bodies that travels as a number; numbers it does not know read as the last variant.
macro_rules! numbered {
    ($(#[$meta:meta])* pub enum $name:ident { $($(#[$doc:meta])* $number:literal => $variant:ident,)+ _ => $other:ident }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$doc])* $variant,)+ #[doc = "A number that this version does not know."] $other }

        impl $name {
            /// The number on the wire.
            pub fn number(self) -> u16 {
                match self { $(Self::$variant => $number,)+ Self::$other => u16::MAX }
            }
        }

        impl From<u16> for $name {
            fn from(number: u16) -> Self {
                match number { $($number => Self::$variant,)+ _ => Self::$other }
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                self.number().serialize(serializer)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                u16::deserialize(deserializer).map(Self::from)
            }
        }
    };
}

pub(crate) use {numbered, tagged};
