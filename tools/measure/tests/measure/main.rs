//! The works and the runner, on folders of the host.

#[cfg(test)]
mod liar;
#[cfg(test)]
mod runner;
