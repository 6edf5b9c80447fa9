//! The engine from outside: one module per subject.

#![cfg(test)]
#![expect(clippy::cast_possible_truncation, reason = "test sizes are small")]

mod basics;
mod bounds;
mod copies;
mod model;
mod space;
mod support;
