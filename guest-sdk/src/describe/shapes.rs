//! The forms of the standard library's types.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque},
    sync::Arc,
};

use super::{Schema, Shape};

macro_rules! shapes {
    ($($shape:ident: $($type:ty),*;)*) => {
        $($(impl Schema for $type {
            const SHAPE: Shape = Shape::$shape;
        })*)*
    };
}

shapes! {
    Any: serde_json::Value;
    Null: ();
    Boolean: bool;
    Integer: i8, i16, i32, i64, i128, isize;
    Unsigned: u8, u16, u32, u64, u128, usize;
    Number: f32, f64;
    Text: String, str, char, std::path::PathBuf;
}

macro_rules! wrappers {
    ($($type:ident),*) => {
        $(impl<T: Schema + ?Sized> Schema for $type<T> {
            const SHAPE: Shape = T::SHAPE;
        })*
    };
}

wrappers!(Box, Arc);

impl<T: Schema + ?Sized> Schema for &T {
    const SHAPE: Shape = T::SHAPE;
}

impl<T: Schema + ToOwned + ?Sized> Schema for std::borrow::Cow<'_, T> {
    const SHAPE: Shape = T::SHAPE;
}

impl<T: Schema> Schema for Option<T> {
    const SHAPE: Shape = Shape::Nullable(&T::SHAPE);
}

macro_rules! lists {
    ($($type:ty),*) => {
        $(impl<T: Schema> Schema for $type {
            const SHAPE: Shape = Shape::List(&T::SHAPE);
        })*
    };
}

lists!(Vec<T>, VecDeque<T>, BTreeSet<T>, [T]);

impl<T: Schema, S> Schema for HashSet<T, S> {
    const SHAPE: Shape = Shape::List(&T::SHAPE);
}

impl<T: Schema, const N: usize> Schema for [T; N] {
    const SHAPE: Shape = Shape::List(&T::SHAPE);
}

impl<K, T: Schema> Schema for BTreeMap<K, T> {
    const SHAPE: Shape = Shape::Map(&T::SHAPE);
}

impl<K, T: Schema, S> Schema for HashMap<K, T, S> {
    const SHAPE: Shape = Shape::Map(&T::SHAPE);
}
