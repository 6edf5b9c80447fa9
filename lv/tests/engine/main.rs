//! The engine from outside: one module per subject.

#[cfg(test)]
mod basics;
#[cfg(test)]
mod model;
#[cfg(test)]
mod support;
