//! Black-box tests of a mounted volume: what programs see that use it as any other filesystem.
//!
//! Where volumes cannot be mounted, or a program is missing, a test says `SKIPPED:` with the reason.

#[cfg(target_os = "linux")]
#[cfg(test)]
mod attributes;
#[cfg(target_os = "linux")]
#[cfg(test)]
mod beside;
#[cfg(target_os = "linux")]
#[cfg(test)]
mod contents;
#[cfg(target_os = "linux")]
#[cfg(test)]
mod crash;
#[cfg(target_os = "linux")]
#[cfg(test)]
mod errors;
#[cfg(target_os = "linux")]
#[cfg(test)]
mod full;
#[cfg(target_os = "linux")]
#[cfg(test)]
mod life;
#[cfg(target_os = "linux")]
#[cfg(test)]
mod locks;
#[cfg(target_os = "linux")]
#[cfg(test)]
mod mapped;
#[cfg(target_os = "linux")]
#[cfg(test)]
mod names;
#[cfg(target_os = "linux")]
#[cfg(test)]
mod outside;
#[cfg(target_os = "linux")]
#[cfg(test)]
mod permissions;
#[cfg(target_os = "linux")]
#[cfg(test)]
mod programs;
#[cfg(target_os = "linux")]
#[cfg(test)]
mod read_only;
#[cfg(target_os = "linux")]
#[cfg(test)]
mod support;
#[cfg(target_os = "linux")]
#[cfg(test)]
mod times;
#[cfg(target_os = "linux")]
#[cfg(test)]
mod watched;
