//! The engine from outside: one module per subject.

#[cfg(test)]
mod basics;
#[cfg(test)]
mod bounds;
#[cfg(test)]
mod copies;
#[cfg(test)]
mod model;
#[cfg(test)]
mod space;
#[cfg(test)]
mod support;
