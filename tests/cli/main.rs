//! Black-box tests of the `anyfs-lvm` command: what users type, what they see, what is left on disk.

#[cfg(test)]
mod archive;
mod arguments;
#[cfg(test)]
mod attributes;
#[cfg(test)]
mod bench;
#[cfg(test)]
mod check;
#[cfg(test)]
mod copying;
#[cfg(test)]
mod find;
#[cfg(test)]
mod full;
#[cfg(test)]
mod guards;
#[cfg(test)]
mod interrupted;
#[cfg(test)]
mod lifecycle;
#[cfg(test)]
mod metadata_copies;
#[cfg(test)]
mod missing;
#[cfg(test)]
mod names;
#[cfg(test)]
mod not_lost;
#[cfg(test)]
mod quickstart;
#[cfg(test)]
mod read_only;
#[cfg(test)]
mod support;
#[cfg(test)]
mod takeover;
#[cfg(test)]
mod tar;
#[cfg(test)]
mod tar_damage;
