//! The engine from outside: one module per subject.

#![cfg(test)]

mod ahead;
mod basics;
mod bounds;
mod check;
mod copies;
mod faults;
mod generation;
mod grow;
mod host;
mod locks;
mod meters;
mod ranges;
mod read_only;
mod scale;
mod space;
mod support;
mod transactions;
mod vouching;
mod xattrs;
