//! The structure of the workspace, asserted: what reviews would otherwise have to remember.

#[cfg(test)]
mod structure;
#[cfg(test)]
mod tree;
