//! Errors of a volume as the kernel's numbers.

use lv::LvError;
pub(super) use rustix::io::Errno;

/// The answer to a request.
pub(super) type Answer<T> = Result<T, Errno>;

/// The number that says the same to a program. An inode that is gone is ESTALE: the kernel asked by number, and looks the
/// name up again where there is one.
pub(super) fn errno(error: &LvError) -> Errno {
    match error {
        LvError::NoInode { .. } => Errno::STALE,
        error => Errno::from_raw_os_error(error.errno()),
    }
}

#[cfg(test)]
mod tests {
    use lv::Ino;

    use super::*;

    #[test]
    fn an_inode_that_is_gone_is_stale_and_a_name_is_not_found() {
        assert_eq!(errno(&LvError::NoInode { ino: Ino(7) }), Errno::STALE);
        assert_eq!(errno(&LvError::NotFound { name: b"a".to_vec() }), Errno::NOENT);
        assert_eq!(errno(&LvError::Poisoned { why: String::new(), full: false }), Errno::IO);
        assert_eq!(errno(&LvError::NoSpace { free: 0, needed: 1 }), Errno::NOSPC);
        let quota = LvError::Quota { what: "bytes", limit: 1, requested: 1, usage: 1 };
        assert_eq!(errno(&quota), Errno::DQUOT);
    }
}
