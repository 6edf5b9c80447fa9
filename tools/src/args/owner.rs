//! Owners as `chown` takes them: `OWNER`, `OWNER:GROUP`, `OWNER:` (with the group of the owner's login), `:GROUP`.

use crate::accounts::{Accounts, List};
use crate::failure::{Done, Failure};

/// Who a file is to belong to; `None` leaves as is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) uid: Option<u32>,
    pub(crate) gid: Option<u32>,
}

/// Reads an owner. A name is looked up on the host first and may also be a number; `+NUMBER` is never a name.
///
/// # Errors
/// Usage, exit code 3: there is no such user or group.
pub(crate) fn owner(text: &str, accounts: &mut Accounts) -> Done<Owner> {
    let (user, group) = text.split_once(':').map_or((text, None), |(user, group)| (user, Some(group)));
    let uid = if user.is_empty() { None } else { Some(number(List::Users, user, accounts)?) };
    let gid = match group {
        None => None,
        Some("") if user.is_empty() => None,
        Some("") => Some(login_group(user, accounts)?),
        Some(group) => Some(number(List::Groups, group, accounts)?),
    };
    if text.is_empty() {
        return Err(Failure::argument("OWNER", text, "Write it as OWNER, OWNER:GROUP or :GROUP."));
    }
    Ok(Owner { uid, gid })
}

fn number(list: List, text: &str, accounts: &mut Accounts) -> Done<u32> {
    if let Some(account) = accounts.named(list, text) {
        return Ok(account.id);
    }
    let digits = text.strip_prefix('+').unwrap_or(text);
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
    // The largest number means "leave as is" to the system's own call, so that no file can belong to it.
    match digits.parse().ok().filter(|id| plain && *id != u32::MAX) {
        Some(id) => Ok(id),
        None => Err(unknown(list, text)),
    }
}

fn login_group(user: &str, accounts: &mut Accounts) -> Done<u32> {
    let group = accounts.named(List::Users, user).and_then(|account| account.group);
    group.ok_or_else(|| unknown(List::Users, user).hint("a number has no login group: write OWNER:GROUP"))
}

fn unknown(list: List, text: &str) -> Failure {
    let (what, option) = match list {
        List::Users => ("user", "OWNER"),
        List::Groups => ("group", "GROUP"),
    };
    Failure::argument(option, text, &format!("There is no such {what} here."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_are_owners() {
        let mut accounts = Accounts::default();
        let mut of = |text: &str| owner(text, &mut accounts).unwrap();
        let both = |uid, gid| Owner { uid, gid };
        assert_eq!(of("4000000001"), both(Some(4_000_000_001), None));
        assert_eq!(of("4000000001:4000000002"), both(Some(4_000_000_001), Some(4_000_000_002)));
        assert_eq!(of(":+7"), both(None, Some(7)));
        assert_eq!(of(":"), both(None, None));
        let name = Accounts::default().name_of(List::Users, 0).unwrap();
        assert_eq!(of(&name).uid, Some(0));
        let login = of(&format!("{name}:"));
        assert!(login.uid == Some(0) && login.gid.is_some());
    }

    #[test]
    fn what_is_no_owner_is_refused() {
        let mut accounts = Accounts::default();
        for bad in ["", "no-such-user", ":no-such-group", "4294967295", "99999999999", "-1", "+", "4000000001:"] {
            assert_eq!(owner(bad, &mut accounts).unwrap_err().code, 3, "{bad}");
        }
    }
}
