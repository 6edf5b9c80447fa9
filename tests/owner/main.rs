//! Black-box tests of volumes that a program has open and serves to other processes.

#[cfg(test)]
#[cfg(unix)]
mod hostile;
#[cfg(test)]
#[cfg(unix)]
mod serving;
#[cfg(test)]
#[cfg(unix)]
mod support;
